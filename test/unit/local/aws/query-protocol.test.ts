import { paginate } from '../../../../local/aws/pagination';
import { AwsError } from '../../../../local/aws/errors';
import { QueryParameters, renderAnswer, renderError } from '../../../../local/aws/query-protocol';

const parse = (text: string) => QueryParameters.parse(new URLSearchParams(text));

describe('parameters of the Query protocol', () => {
  it('are read from all ways of writing a list', () => {
    const tags = parse('Tags.Tag.2.Key=b&Tags.Tag.1.Key=a&Tags.Tag.10.Key=c').structures('Tags');
    expect(tags?.map((tag) => tag.required('Key'))).toEqual(['a', 'b', 'c']);
    expect(parse('Ids.member.1=x&Ids.member.2=y').texts('Ids')).toEqual(['x', 'y']);
    expect(parse('Ids.1=x').texts('Ids')).toEqual(['x']);
    expect(parse('Ids=').texts('Ids')).toEqual([]);
    expect(parse('').texts('Ids')).toBeUndefined();
  });

  it('are refused if they are not what they should be', () => {
    expect(() => parse('').required('Name')).toThrow('The request must contain the parameter Name.');
    expect(() => parse('Size=ten').integer('Size')).toThrow(AwsError);
    expect(() => parse('On=maybe').flag('On')).toThrow(AwsError);
  });
});

describe('answers of the Query protocol', () => {
  it('name list items as AWS does, and keep what XML would mangle', () => {
    const xml = renderAnswer('A', 'urn:x', { TagList: [{ Key: 'a<b', Value: '\u0001&' }], Ids: ['x'], None: [] }, 'id');
    expect(xml).toContain('<TagList><Tag><Key>a&lt;b</Key><Value>&amp;</Value></Tag></TagList>');
    expect(xml).toContain('<Ids><member>x</member></Ids>');
    expect(xml).toMatch(/<None\s*\/>|<None><\/None>/);
    expect(renderAnswer('A', 'urn:x', undefined, 'id')).not.toContain('AResult');
  });

  it('say who is to blame for an error', () => {
    expect(renderError(new AwsError('C', 'm'), 'urn:x', 'id')).toContain('<Type>Sender</Type><Code>C</Code>');
    expect(renderError(new AwsError('C', 'm', 500), 'urn:x', 'id')).toContain('<Type>Receiver</Type>');
  });
});

describe('pages', () => {
  const items = Array.from({ length: 45 }, (_, index) => `item-${String(index).padStart(2, '0')}`);

  it('cover everything once, also if an item of an earlier page goes', () => {
    const first = paginate(parse('MaxRecords=20'), items, (item) => item);
    const rest = items.filter((item) => item !== first.items[3]);
    const next = new URLSearchParams({ MaxRecords: '20', Marker: first.marker ?? '' }).toString();
    const second = paginate(parse(next), rest, (item) => item);
    const third = paginate(
      parse(new URLSearchParams({ Marker: second.marker ?? '' }).toString()),
      rest,
      (item) => item,
    );
    expect([...first.items, ...second.items, ...third.items]).toEqual(items);
    expect(third.marker).toBeUndefined();
  });

  it('have AWS limits', () => {
    expect(() => paginate(parse('MaxRecords=19'), items, (item) => item)).toThrow(/Must be between 20 and 100/);
    expect(() => paginate(parse('Marker=nonsense'), items, (item) => item)).toThrow(/Marker/);
  });
});
