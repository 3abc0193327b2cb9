import type { Random } from '../position/random';
import type { Encoding } from './text';

interface NameKind {
  readonly kind: string;
  readonly ascii: boolean;
  readonly make: (word: string, random: Random) => string;
}

const RESERVED = [
  'select',
  'user',
  'order',
  'table',
  'group',
  'end',
  'all',
  'primary',
  'default',
  'current_user',
  'limit',
  'offset',
  'when',
  'check',
];
/** `NAMEDATALEN - 1`: what is longer, the server cuts. */
const LONGEST_BYTES = 63;

/** Names as people give them, and as they should not. */
const KINDS: readonly NameKind[] = [
  { kind: 'plain', ascii: true, make: (word) => word },
  { kind: 'plain', ascii: true, make: (word, random) => `${word}_${random.below(100)}` },
  { kind: 'upper case', ascii: true, make: (word) => word.charAt(0).toUpperCase() + word.slice(1).toUpperCase() },
  { kind: 'reserved word', ascii: true, make: (_word, random) => random.pick(RESERVED) },
  { kind: 'blank', ascii: true, make: (word) => ` ${word} of ` },
  { kind: 'dot', ascii: true, make: (word) => `${word}.${word}` },
  { kind: 'double quote', ascii: true, make: (word) => `${word}"s` },
  { kind: 'single quote', ascii: true, make: (word) => `${word}'s` },
  { kind: 'backslash', ascii: true, make: (word) => `${word}\\x` },
  { kind: 'placeholder', ascii: true, make: (word) => `%s$1{${word}}` },
  { kind: 'comment', ascii: true, make: (word) => `${word}--;/*` },
  { kind: 'digit first', ascii: true, make: (word, random) => `${random.below(10)}${word}` },
  { kind: 'comma and equals sign', ascii: true, make: (word) => `${word},a=b` },
  { kind: '63 bytes', ascii: true, make: (word) => word.padEnd(LONGEST_BYTES, 'x').slice(0, LONGEST_BYTES) },
  { kind: 'line feed', ascii: true, make: (word) => `${word}\nx` },
  { kind: 'not ASCII', ascii: false, make: (word) => `${word}é` },
  { kind: 'emoji', ascii: false, make: (word) => `${word}🦭` },
];

const WORDS = [
  'orders',
  'item',
  'customer',
  'event',
  'account',
  'stock',
  'visit',
  'price',
  'label',
  'town',
  'ship',
  'crew',
  'log',
  'note',
  'part',
];

/** Gives names that are new among those that it has given. */
export class Names {
  readonly #given = new Set<string>();

  constructor(
    private readonly random: Random,
    private readonly encoding: Encoding,
    private readonly note: (feature: string) => void,
    private readonly oddPercent = 45,
  ) {}

  /** @param room bytes that are to be left for what is appended */
  next(room = 0): string {
    const { random } = this;
    const usable = KINDS.filter(({ ascii }) => ascii || this.encoding === 'UTF8');
    const { kind, make } = random.percent(this.oddPercent) ? random.pick(usable) : (KINDS[0] as NameKind);
    const wanted = make(random.pick(WORDS), random);
    const name = this.unique(cut(wanted, LONGEST_BYTES - room));
    this.note(`name: ${kind}`);
    return name;
  }

  private unique(wanted: string): string {
    for (let number = 1; ; number += 1) {
      const suffix = number === 1 ? '' : String(number);
      const name = cut(wanted, LONGEST_BYTES - suffix.length) + suffix;
      if (this.#given.has(name)) continue;
      this.#given.add(name);
      return name;
    }
  }
}

function cut(name: string, bytes: number): string {
  const characters = [...name];
  while (Buffer.byteLength(characters.join('')) > bytes) characters.pop();
  return characters.join('');
}
