import { renderReport } from '../../../client/render-report';
import { endOf, storyOf, titleOf } from '../../../evidence/ending';
import { renderPage } from '../../../evidence/page';
import { otherOf, sidesOf, switchesOf } from '../../../evidence/sides';
import type { Report } from '../../../plan/report';
import { blockedReport, ENDED, endedReportOf } from '../../support/ended-reports';

/** A page as a person reads it. */
const words = (html: string): string =>
  html
    .slice(html.indexOf('<body>'))
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
    .replaceAll(/\s+/g, ' ');
const bothOf = (report: Report): string[] => [words(renderPage(report)), renderReport(report).replaceAll(/\s+/g, ' ')];

/** What each end says in its title, and who serves before and after. */
const EXPECTED = {
  completed: {
    title: 'app-db was moved to the encrypted app-db-encrypted',
    sides: ['Before: app-db, not encrypted', 'After: app-db-encrypted, encrypted'],
    other: 'Old instance: app-db: deleted',
  },
  'source-kept': {
    title: 'app-db was moved to the encrypted app-db-encrypted, and the old instance is kept',
    sides: ['Before: app-db, not encrypted', 'After: app-db-encrypted, encrypted'],
    other: 'Old instance: app-db: kept, fenced, not encrypted',
  },
  'rolled-back': {
    title: 'app-db was moved to app-db-encrypted and rolled back: the old instance serves again',
    sides: [
      'Before: app-db, not encrypted',
      'In between: app-db-encrypted, encrypted',
      'After the rollback: app-db, not encrypted',
    ],
    other: 'Target: app-db-encrypted: kept, fenced',
  },
  aborted: {
    title: 'app-db was not moved to app-db-encrypted: the migration was aborted',
    sides: ['Before: app-db, not encrypted', 'After: app-db, not encrypted'],
    other: 'Target: app-db-encrypted: deleted',
  },
  failed: {
    title: 'app-db was not moved to app-db-encrypted: the migration failed',
    sides: ['Before: app-db, not encrypted', 'After: app-db, not encrypted'],
    other: 'Target: app-db-encrypted: deleted',
  },
  blocked: {
    title: 'app-db was not moved to app-db-encrypted: the preflight stopped it',
    sides: [],
    other: 'Target: app-db-encrypted: was not made',
  },
} as const;

describe.each(ENDED)('a migration that ended %s', (end, make) => {
  const report = make();
  const expected = EXPECTED[end as keyof typeof EXPECTED];

  test('is known as that', () => {
    expect(endOf(report)).toBe(end);
    expect(titleOf(report)).toBe(expected.title);
  });

  test('has its own headline, in the text and on the page', () => {
    for (const text of bothOf(report)) {
      expect(text).toContain(expected.title);
      for (const sentence of storyOf(report)) expect(text).toContain(sentence.replaceAll(/\s+/g, ' '));
    }
  });

  test('has its own before and after', () => {
    const sides = sidesOf(report).map(({ head, instance, encryption }) => `${head}: ${instance}, ${encryption}`);
    expect(sides).toEqual(expected.sides);
    const { head, what } = otherOf(report);
    expect(`${head}: ${what}`).toBe(expected.other);
    if (report.source) for (const text of bothOf(report)) expect(text).toContain(expected.other);
  });

  test('says that the target serves only where it does', () => {
    const serves = end === 'completed' || end === 'source-kept';
    for (const text of bothOf(report)) {
      expect(text.includes('since then app-db-encrypted serves')).toBe(serves);
      expect(text).not.toMatch(/\bundefined\b|\bNaN\b|\[object/);
    }
  });
});

describe('after a rollback', () => {
  const report = endedReportOf('rolled-back');
  const back = report.rollback?.cutover;

  test('both pauses are told, with who asked for the second', () => {
    const story = storyOf(report).join(' ');
    expect(story).toMatch(/Writes were stopped twice: for [\d.]+ ms at the cutover and for [\d.]+ ms at the rollback/);
    expect(story).toContain(`${report.rollback?.by} asked for the rollback: ${report.rollback?.reason}`);
    expect(story).toContain('since then app-db, which is not encrypted, serves again');
    expect(renderReport(report)).toContain(`Rollback at ${back?.switchedAt}: writes stopped for`);
    const page = renderPage(report);
    expect(page).toContain('id="pause-back-title"');
    expect(words(page)).toContain('The two pauses of writes');
  });

  test('the switches hold what they held before', () => {
    const switches = switchesOf(report);
    expect(switches.length).toBeGreaterThan(0);
    for (const { values } of switches) {
      expect(values).toHaveLength(3);
      expect(values[2]).toBe(values[0]);
      expect(values[1]).not.toBe(values[0]);
    }
  });

  test('the second proof is told beside the first', () => {
    for (const text of bothOf(report)) expect(text).toMatch(/identical, proven in [\d.]+ s after the rollback/);
  });

  test('nothing is called deleted', () => {
    expect(words(renderPage(report))).toContain('Nothing of the source was deleted.');
  });
});

test('a rollback that is asked for and not made does not say that the source serves', () => {
  const ended = endedReportOf('completed');
  const report: Report = {
    ...ended,
    status: 'running',
    rollback: { by: 'ada', reason: 'orders are slow', requestedAt: '2026-11-21T15:30:00.000Z' },
  };
  expect(endOf(report)).toBe('going-back');
  expect(storyOf(report).join(' ')).toContain('Until the second pause app-db-encrypted serves.');
  expect(renderReport(report)).toContain('traffic is on the target until the second pause');
});

test('traffic that is moved by hand is not said to be on the target before somebody moved it', () => {
  const { progress, ...ended } = endedReportOf('completed');
  const switching = { to: 'app-db-encrypted', command: 'temporal ...' };
  const story = storyOf({ ...ended, status: 'running', progress: { ...progress, switching } }).join(' ');
  expect(story).not.toContain('since then');
  expect(story).toContain('writes wait until applications use app-db-encrypted');
});

test('what could not be undone is in the headline and in before and after', () => {
  const { progress, ...aborted } = endedReportOf('aborted');
  const undone = progress.undone.map((one) =>
    ['target instance', 'parameter group of the source'].includes(one.name) ? { ...one, ok: false } : one,
  );
  for (const text of bothOf({ ...aborted, progress: { ...progress, undone } })) {
    expect(text).toContain('NOT UNDONE: target instance, parameter group of the source');
    expect(text).toContain('app-db-encrypted: COULD NOT BE DELETED');
  }
});

test('a failure says why', () => {
  for (const text of bothOf(endedReportOf('failed'))) expect(text).toContain('SlotLost: the slot keyshift_x is lost.');
});

describe('a preflight that stopped it', () => {
  const report = blockedReport();

  test.each([['page'], ['text']])('the %s says what blocks, what was not acknowledged, and what to do', (where) => {
    const [page = '', text = ''] = bothOf(report);
    const all = where === 'page' ? page : text;
    for (const part of ['the source is MySQL', 'name another source', 'backups are off', 'turn them on']) {
      expect(all).toContain(part);
    }
    expect(all).toContain('2 checks of the preflight stopped it: source-engine, backups.');
    if (where === 'page') expect(all.indexOf('What stopped it')).toBeLessThan(all.indexOf('Before and after It ended'));
  });

  test('only what the plan acknowledges is called acknowledged, only what it overrides overridden', () => {
    const text = renderReport(report);
    expect(text).toContain('  source-engine blocks: the source is MySQL\n    name another source');
    expect(text).toContain('  backups is not acknowledged: backups are off\n    turn them on');
    expect(text).toContain('  foreign-tables acknowledged: 2 foreign tables');
    expect(text).toContain('  unlogged-tables overridden: 1 unlogged table\n    because: it fills itself');
    expect(text).not.toMatch(/(source-engine|backups) (acknowledged|overridden)/);
    const rows = renderPage(report).match(/<tr><th scope="row"><code>(backups|foreign-tables|source-engine).*?<\/tr>/g);
    const results = (rows ?? []).map((row) => words(`<body>${row}`).trim());
    expect(results).toContainEqual('backups not acknowledged backups are off');
    expect(results).toContainEqual('foreign-tables acknowledged 2 foreign tables');
    expect(results).toContainEqual('source-engine blocks the source is MySQL');
  });
});
