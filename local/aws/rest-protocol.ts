import type { IncomingHttpHeaders } from 'node:http';
import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser';
import type { Context } from './context';
import type { CredentialScope } from './credential-scope';
import { AwsError } from './errors';
import type { Fault } from './faults';

/** One request of a service whose operations are methods and paths (the protocol `restXml`). */
export interface RestRequest {
  readonly method: string;
  /** The segments of the path, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One call of an operation of such a service. */
export interface RestCall extends RestRequest {
  readonly context: Context;
  readonly scope: CredentialScope;
  /** A fault that makes the work of this call stall. */
  readonly stall: Fault | undefined;
}

/** What an operation answers. */
export interface RestReply {
  /** 200 if absent. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A service of this protocol. */
export interface RestService {
  /** Its word for too many calls. */
  readonly throttlingCode: string;
  /** Names of the operations that the stand-in has. */
  readonly operations: readonly string[];
  /** The operation that a request asks for, by name; undefined if the stand-in has none for it. */
  readonly find: (request: RestRequest) => { readonly name: string; readonly run: RestOperation } | undefined;
  readonly renderError: (error: AwsError, requestId: string) => string;
}

export type RestOperation = (call: RestCall) => Promise<RestReply> | RestReply;

/** A member of an XML document: text, members by name, or several of a name. */
export type XmlNode = string | undefined | readonly XmlNode[] | { readonly [member: string]: XmlNode };

const builder = new XMLBuilder({ suppressEmptyNode: true, format: false, ignoreAttributes: false });

/** Writes a document. Members that are undefined are left out; a list is a member that comes several times. */
export function renderXml(document: { readonly [member: string]: XmlNode }): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build(withoutHoles(document))}`;
}

function withoutHoles(node: XmlNode): unknown {
  if (typeof node !== 'object') return node;
  if (Array.isArray(node)) return node.map(withoutHoles);
  return Object.fromEntries(
    Object.entries(node)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, withoutHoles(member)]),
  );
}

/** Reads the document of a request, whose values stay text. Members that are named in `lists` are lists, also of one. */
export function readXml(body: Buffer, lists: readonly string[]): XmlTree {
  const text = body.toString('utf8');
  if (XMLValidator.validate(text) !== true) {
    throw new AwsError(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our schema',
    );
  }
  const parser = new XMLParser({
    parseTagValue: false,
    ignoreDeclaration: true,
    isArray: (name) => lists.includes(name),
  });
  return new XmlTree(parser.parse(text) as XmlNode);
}

/** What a request's document holds. */
export class XmlTree {
  constructor(private readonly node: XmlNode) {}

  /** The text of a member. */
  text(name: string): string | undefined {
    const value = this.member(name);
    return typeof value === 'string' ? value : undefined;
  }

  /** A member with members of its own; an empty tree where there is none. */
  tree(name: string): XmlTree {
    return new XmlTree(this.member(name));
  }

  has(name: string): boolean {
    return this.member(name) !== undefined;
  }

  /** The members of a name, where it may come several times. */
  list(name: string): XmlTree[] {
    const value = this.member(name);
    return Array.isArray(value) ? value.map((one: XmlNode) => new XmlTree(one)) : [];
  }

  private member(name: string): XmlNode {
    const { node } = this;
    return typeof node === 'object' && !Array.isArray(node) ? (node as Record<string, XmlNode>)[name] : undefined;
  }
}
