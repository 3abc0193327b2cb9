import { XMLParser } from 'fast-xml-parser';
import { AwsError } from '../errors';
import { treeOf } from '../query-protocol';
import type { RestReply, RestRequest } from '../rest-protocol';
import { bodyMembers, type Check, ofMembers, type Problem, problemsOf } from './check-value';
import { mayAnswer } from './common-codes';
import { EC2_QUERY, JSON_DIALECT, QUERY, XML } from './dialects';
import { isService, type MemberModel, modelOf, type OperationModel, type ServiceModel, type ShapeModel } from './model';

/**
 * One call, held against AWS's model of its operation. What a request has too much or wrong is refused; what an answer has, is a fault of the
 * stand-in, and is answered as such.
 */
export class Contract {
  private constructor(
    private readonly service: Parameters<typeof modelOf>[0],
    private readonly name: string,
    private readonly model: ServiceModel,
    private readonly operation: OperationModel,
    private readonly ignored: ReadonlySet<string>,
  ) {}

  /**
   * That of an operation; undefined where there is no model of it.
   * @param ignored members of answers that tests have made up
   */
  static of(service: string, name: string, ignored: ReadonlySet<string> = new Set()): Contract | undefined {
    if (!isService(service)) return undefined;
    const model = modelOf(service);
    const operation = model.operations[name];
    return operation && new Contract(service, name, model, operation, ignored);
  }

  /** @throws AwsError for a request of the Query protocol that AWS would refuse */
  query(form: URLSearchParams): void {
    // What signs the request, in the URL, is no parameter of the operation.
    const isOne = (name: string) => name !== 'Action' && name !== 'Version' && !name.startsWith('X-Amz-');
    const parameters = Object.fromEntries(Object.entries(treeOf(form)).filter(([name]) => isOne(name)));
    this.#refuse(this.#input(this.model.protocol === 'ec2' ? EC2_QUERY : QUERY, parameters));
  }

  /** @throws AwsError for a request of a JSON service that AWS would refuse */
  json(input: unknown): void {
    this.#refuse(this.#input(JSON_DIALECT, input));
  }

  /** @throws AwsError for a request of a REST service that AWS would refuse */
  rest({ path, query, headers, body }: RestRequest): void {
    const { input, http } = this.operation;
    if (!input) return;
    const shape = this.#shape(input.shape);
    const located = membersAt(shape);
    const check = this.#check(XML, new Set());
    const [template = '', constant = ''] = http.requestUri.split('?');
    const constants = [...new URLSearchParams(constant).keys(), 'x-id'];
    const asked = [...query].filter(([name]) => !constants.includes(name) && !name.startsWith('X-Amz-'));
    this.#refuse([
      ...ofMembers(check, located('querystring'), shape.required ?? [], Object.fromEntries(asked), ''),
      // The path of S3 may be without its bucket, which is in the host's name then.
      ...(this.service === 's3' ? [] : ofMembers(check, located('uri'), [], segments(template, path), '')),
      ...ofMembers(check, located('header'), shape.required ?? [], theirs(located('header'), headers), ''),
      ...this.#document(check, shape, body, input.locationName),
    ]);
  }

  /** @throws AwsError for an answer in XML of the Query protocol that AWS would not give */
  queryAnswer(xml: string): void {
    const root = Object.values(parse(xml))[0] as Record<string, unknown>;
    const { output } = this.operation;
    if (this.model.protocol === 'ec2') {
      const { requestId: _id, return: done, ...members } = root;
      return this.#fail(output ? this.#output(XML, done === undefined ? members : { return: done }) : []);
    }
    const result = root[output?.resultWrapper ?? `${this.name}Result`];
    this.#fail(output ? this.#output(XML, result ?? {}) : []);
  }

  /** @throws AwsError for an answer of a JSON service that AWS would not give */
  jsonAnswer(text: string): void {
    this.#fail(this.operation.output ? this.#output(JSON_DIALECT, JSON.parse(text)) : []);
  }

  /** @throws AwsError for an answer of a REST service that AWS would not give */
  restAnswer({ headers = {}, body = '' }: RestReply): void {
    const { output } = this.operation;
    if (!output || WITHOUT_MEMBERS.has(this.name)) return;
    const shape = this.#shape(output.shape);
    const check = { ...this.#check(XML, this.ignored), emptyLists: true };
    const known = membersAt(shape)('header').filter(([, { shape: of }]) => this.#shape(of).type !== 'timestamp');
    this.#fail([
      ...ofMembers(check, known, shape.required ?? [], theirs(known, headers), ''),
      ...this.#document(check, shape, body, undefined),
    ]);
  }

  /** @throws AwsError for a code that AWS's model does not have for the operation */
  refusal(error: AwsError): void {
    if (mayAnswer(this.service, this.model, this.operation, error.code)) return;
    throw this.#broken(`answers the code ${error.code} (${error.message}), which its model does not list`);
  }

  #shape(name: string): ShapeModel {
    return this.model.shapes[name] ?? { type: 'structure' };
  }

  #check(dialect: Check['dialect'], ignored: ReadonlySet<string>): Check {
    return { model: this.model, dialect, ignored };
  }

  #input(dialect: Check['dialect'], raw: unknown): Problem[] {
    const { input } = this.operation;
    return input ? problemsOf(this.#check(dialect, new Set()), input.shape, raw, '') : [];
  }

  #output(dialect: Check['dialect'], raw: unknown): Problem[] {
    const check = { ...this.#check(dialect, this.ignored), emptyLists: true };
    return problemsOf(check, this.operation.output?.shape ?? '', raw, '');
  }

  /** The XML document of a message: its payload, or all of its members that are nowhere else. */
  #document(check: Check, shape: ShapeModel, body: string | Buffer, root: string | undefined): Problem[] {
    const payload = shape.payload === undefined ? undefined : shape.members?.[shape.payload];
    if (payload && this.#shape(payload.shape).type !== 'structure') return [];
    const name = payload ? (payload.locationName ?? shape.payload) : root;
    const text = body.toString();
    if (text === '') return payload ? [] : ofMembers(check, bodyMembers(shape), shape.required ?? [], {}, '');
    const [[found, content]] = Object.entries(parse(text)) as [[string, unknown]];
    if (name !== undefined && found !== name) return [{ kind: 'unknown', path: found, text: `is not ${name}` }];
    if (payload) return problemsOf(check, payload.shape, content, '');
    const members = check.dialect.membersOf(content) ?? {};
    return ofMembers(check, bodyMembers(shape), shape.required ?? [], members, '');
  }

  #refuse(problems: readonly Problem[]): void {
    const [first] = problems;
    if (!first) return;
    const words = problems.map(({ path, text }) => `Value at '${path}' failed to satisfy constraint: ${text}`);
    throw new AwsError(
      this.#codeFor(first),
      `${words.length} validation error detected: ${words.join('; ')} (${this.name}, by the model of botocore ${this.model.botocore})`,
    );
  }

  #codeFor({ kind }: Problem): string {
    switch (this.service) {
      case 's3':
        return 'InvalidRequest';
      case 'route53':
        return 'InvalidInput';
      case 'rds':
      case 'ec2':
      case 'iam':
      case 'sts':
        return kind === 'missing' ? 'MissingParameter' : kind === 'type' ? 'MalformedInput' : 'InvalidParameterValue';
      default:
        return 'ValidationException';
    }
  }

  #fail(problems: readonly Problem[]): void {
    if (problems.length === 0) return;
    throw this.#broken(`answers otherwise: ${problems.map(({ path, text }) => `${path} ${text}`).join('; ')}`);
  }

  #broken(what: string): AwsError {
    return new AwsError(
      'InternalFailure',
      `The stand-in is not as AWS: ${this.name} ${what} (botocore ${this.model.botocore}).`,
      500,
    );
  }
}

/** Its document is the text of one member, by itself. */
const WITHOUT_MEMBERS: ReadonlySet<string> = new Set(['GetBucketLocation']);

type Where = NonNullable<MemberModel['location']>;

/** The members of a structure that are in a place other than the body. */
const membersAt =
  ({ members = {} }: ShapeModel) =>
  (where: Where): [string, MemberModel][] =>
    Object.entries(members).filter(([, { location }]) => location === where);

/** The headers that are members, by the names that the model has for them. */
function theirs(members: readonly [string, MemberModel][], headers: Readonly<Record<string, unknown>>) {
  const found = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return Object.fromEntries(
    members.flatMap(([, { locationName = '' }]) => {
      const value = found.get(locationName.toLowerCase());
      return value === undefined ? [] : [[locationName, value]];
    }),
  );
}

/** The parts of a path that its template names. */
function segments(template: string, path: readonly string[]): Readonly<Record<string, string>> {
  const names = template.split('/').filter((one) => one !== '');
  const parts = path.filter((one) => one !== '');
  return Object.fromEntries(
    names.flatMap((name, index) => (name.startsWith('{') ? [[name.slice(1, -1), parts[index] ?? '']] : [])),
  );
}

const parser = new XMLParser({ parseTagValue: false, ignoreAttributes: true, ignoreDeclaration: true });

function parse(xml: string): Record<string, unknown> {
  return parser.parse(xml) as Record<string, unknown>;
}
