import { CHECK_CODES } from '../../../plan/checks';
import { CHECK_CASES } from '../../support/check-cases';
import { read } from '../docs/read';

test.each(CHECK_CODES)('%s is found somewhere in the tests', (code) => {
  expect(read(`test/${CHECK_CASES[code]}`)).toMatch(new RegExp(`'${code}['/]`));
});
