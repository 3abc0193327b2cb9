import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { cloudwatchOperations } from './cloudwatch/operations';
import type { Context } from './context';
import { Contract } from './contract/contract';
import { controlApi } from './control-api';
import type { CredentialScope } from './credential-scope';
import { readCredentialScope } from './credential-scope';
import { EC2_OPERATIONS } from './ec2/operations';
import { AwsError } from './errors';
import { EventualConsistency } from './eventual-consistency';
import { callerArn, enforcePolicy } from './iam/enforce';
import { IAM_OPERATIONS } from './iam/operations';
import type { JsonOperation } from './json-protocol';
import { jsonError } from './json-protocol';
import { kmsOperations } from './kms/operations';
import { logsOperations } from './logs/operations';
import { pricingOperations } from './pricing/operations';
import { QueryParameters, renderAnswer, renderEc2Answer, renderEc2Error, renderError } from './query-protocol';
import type { Answer } from './query-protocol';
import type { CallNames } from './iam/resources';
import type { Tag } from './rds/model';
import { RDS_OPERATIONS } from './rds/operations';
import { StaleReads } from './rds/stale-reads';
import { readTags } from './rds/request';
import type { RestRequest, RestService } from './rest-protocol';
import { ROUTE53 } from './route53/operations';
import { S3 } from './s3/operations';
import { secretsOperations } from './secrets/operations';
import { ssmOperations } from './ssm/operations';
import { getCallerIdentity } from './sts/operations';

const RDS_NAMESPACE = 'http://rds.amazonaws.com/doc/2014-10-31/';
const NAMESPACES: Readonly<Record<string, string>> = {
  rds: RDS_NAMESPACE,
  sts: 'https://sts.amazonaws.com/doc/2011-06-15/',
  iam: 'https://iam.amazonaws.com/doc/2010-05-08/',
  ec2: 'http://ec2.amazonaws.com/doc/2016-11-15/',
};

/** The services whose operations are methods and paths. */
const REST_SERVICES: Readonly<Record<string, RestService>> = { route53: ROUTE53, s3: S3 };

/** What is sent back. */
interface Reply {
  readonly status: number;
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  /** The effect took place, but the connection is cut instead of an answer. */
  readonly dropped?: boolean;
}

/** Longer than any client of ours keeps an idle connection. */
const KEEP_ALIVE_MS = 300_000;

/** The one HTTP server for all services; which one is meant says the credential scope of the signature. */
export function createAwsServer(context: Context): Server {
  const json: Readonly<Record<string, Record<string, JsonOperation>>> = {
    kms: kmsOperations(context),
    secretsmanager: secretsOperations(context),
    ssm: ssmOperations(context),
    monitoring: cloudwatchOperations(context),
    logs: logsOperations(context),
    pricing: pricingOperations(),
  };
  const control = controlApi(context);
  const consistency = new EventualConsistency(context.faults);
  const stale = new StaleReads(context);

  async function answer(request: IncomingMessage): Promise<Reply> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const bytes = await readBody(request);
    if (url.pathname.startsWith('/_keyshift/')) {
      const { status, value } = await control(request.method ?? 'GET', url, bytes.toString('utf8'));
      await context.store.flush();
      return { status, type: 'application/json', body: `${JSON.stringify(value, undefined, 2)}\n` };
    }
    const scope = readCredentialScope(request, url);
    const rest = scope ? REST_SERVICES[scope.service] : undefined;
    if (rest && scope) return answerRest(rest, scope, readRestRequest(request, url, bytes));
    const body = bytes.toString('utf8');
    const operations = scope ? json[scope.service] : undefined;
    const target = request.headers['x-amz-target'];
    return operations && scope
      ? answerJson(operations, scope, String(target ?? ''), body)
      : answerQuery(scope, new URLSearchParams(body === '' ? url.search : body), target !== undefined);
  }

  async function answerJson(
    operations: Record<string, JsonOperation>,
    scope: CredentialScope,
    target: string,
    body: string,
  ): Promise<Reply> {
    const type = 'application/x-amz-json-1.1';
    const name = target.split('.').at(-1) ?? '';
    try {
      const operation = operations[name];
      if (!operation) throw new AwsError('UnknownOperationException', `Operation ${name} isn't known to the stand-in.`);
      const contract = Contract.of(scope.service, name);
      const { result, dropped } = await perform(
        scope,
        name,
        'ThrottlingException',
        () => {
          contract?.json(parseJson(body));
          return held(contract, () => operation(parseJson(body), { region: scope.region, caller: callerArn(scope) }));
        },
        () => namesOfJson(parseJson(body)),
      );
      const text = JSON.stringify(result ?? {});
      if (!dropped) contract?.jsonAnswer(text);
      return { status: 200, type, body: text, dropped };
    } catch (error) {
      const known = asAwsError(error, name);
      return { status: known.status, type, body: JSON.stringify(jsonError(known)) };
    }
  }

  async function answerQuery(
    scope: CredentialScope | undefined,
    form: URLSearchParams,
    isJson: boolean,
  ): Promise<Reply> {
    const action = form.get('Action') ?? '';
    const namespace = NAMESPACES[scope?.service ?? ''] ?? RDS_NAMESPACE;
    const ec2 = scope?.service === 'ec2';
    const requestId = randomUUID();
    const type = 'text/xml';
    try {
      if (!scope) {
        const missing = new AwsError('MissingAuthenticationToken', 'Request is missing Authentication Token', 403);
        if (!isJson) throw missing;
        const exception = new AwsError('MissingAuthenticationTokenException', missing.message);
        return { status: 400, type: 'application/x-amz-json-1.1', body: JSON.stringify(jsonError(exception)) };
      }
      const parameters = QueryParameters.parse(form);
      const contract = Contract.of(scope.service, action, context.store.describedMembers());
      const { result, dropped } = await perform(
        scope,
        action,
        ec2 ? 'RequestLimitExceeded' : 'Throttling',
        () => {
          contract?.query(form);
          return held(contract, () => callQuery(scope, action, parameters));
        },
        () => ({ text: (name) => parameters.text(name), tags: readTags(parameters) ?? [] }),
      );
      const render = ec2 ? renderEc2Answer : renderAnswer;
      const xml = render(action, namespace, result ?? {}, requestId);
      if (!dropped) contract?.queryAnswer(xml);
      return { status: 200, type, body: xml, dropped };
    } catch (error) {
      const known = asAwsError(error, action);
      const body = ec2 ? renderEc2Error(known, requestId) : renderError(known, namespace, requestId);
      return { status: known.status, type, body };
    }
  }

  async function answerRest(service: RestService, scope: CredentialScope, request: RestRequest): Promise<Reply> {
    const found = service.find(request);
    const name = found?.name ?? `${request.method} /${request.path.join('/')}`;
    const type = 'application/xml';
    try {
      if (!found) throw new AwsError('NotImplemented', `${name} isn't known to the stand-in.`, 501);
      const contract = Contract.of(scope.service, name);
      const { result, dropped } = await perform(scope, name, service.throttlingCode, () => {
        contract?.rest(request);
        return held(contract, () => found.run({ ...request, context, scope, stall: context.faults.stallOf(name) }));
      });
      if (result && !dropped) contract?.restAnswer(result);
      return { status: 200, type, body: '', ...result, dropped };
    } catch (error) {
      const known = asAwsError(error, name);
      return { status: known.status, type, body: service.renderError(known, randomUUID()) };
    }
  }

  /** What refuses a call is one of the codes of its operation. */
  async function held<Result>(contract: Contract | undefined, work: () => Promise<Result> | Result): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof AwsError) contract?.refusal(error);
      throw error;
    }
  }

  /** Does one call with what all services have in common: faults, the policy in force, and that nothing is answered before it is on disk. */
  async function perform<Result>(
    scope: CredentialScope,
    name: string,
    throttlingCode: string,
    work: () => Promise<Result> | Result,
    names?: () => CallNames,
  ): Promise<{ readonly result: Result | undefined; readonly dropped: boolean }> {
    const delay = context.faults.delayOf(name);
    await context.faults.delay(delay, 'before', context.shutdown);
    refuse(name, throttlingCode);
    enforcePolicy(context.store, scope, name, names);
    if (names) consistency.refuse(name, names());
    const later = async (): Promise<void> => {
      try {
        await work();
        await context.store.flush();
      } catch (error) {
        asAwsError(error, name);
      }
    };
    if (context.faults.isLate(name, later)) return { result: undefined, dropped: true };
    const result = await work();
    await context.store.flush();
    if (names) consistency.made(name, names());
    await context.faults.delay(delay, 'after', context.shutdown);
    return { result, dropped: context.faults.dropsAnswer(name) };
  }

  async function callQuery(scope: CredentialScope, action: string, parameters: QueryParameters): Promise<Answer> {
    if (scope.service === 'sts' && action === 'GetCallerIdentity') return getCallerIdentity(scope);
    const { region } = scope;
    const iam = scope.service === 'iam' ? IAM_OPERATIONS[action] : undefined;
    if (iam) return iam({ context, parameters, scope });
    const ec2 = scope.service === 'ec2' ? EC2_OPERATIONS[action] : undefined;
    if (ec2) return ec2({ context, parameters, region, state: context.store.region(region) });
    const operation = scope.service === 'rds' ? RDS_OPERATIONS[action] : undefined;
    if (!operation) {
      throw new AwsError(
        'InvalidAction',
        `Could not find operation ${action} for service ${scope.service} in the stand-in`,
      );
    }
    const stall = context.faults.stallOf(action);
    return stale.during(region, action, context.store.region(region).rds, (rds) =>
      operation({ context, parameters, scope, region, rds, stall }),
    );
  }

  function refuse(operation: string, throttlingCode: string): void {
    try {
      context.faults.refuse(operation);
    } catch (error) {
      // The JSON services have another word for it.
      if (error instanceof AwsError && error.code === 'Throttling') {
        throw new AwsError(throttlingCode, error.message, error.status);
      }
      throw error;
    }
  }

  function asAwsError(error: unknown, operation: string): AwsError {
    if (error instanceof AwsError) {
      context.log.info({ operation, code: error.code, message: error.message }, 'refused');
      return error;
    }
    context.log.error({ operation, err: error }, 'operation broke');
    return new AwsError(
      'InternalFailure',
      `The stand-in failed: ${error instanceof Error ? error.message : String(error)}`,
      500,
    );
  }

  const server = createServer((request, response) => {
    answer(request)
      .then((reply) => send(response, reply))
      .catch((error: unknown) => {
        context.log.error({ err: error }, 'request broke');
        response.destroy();
      });
  });
  // Node closes what was idle for 5 s, and a client that sends in that moment is hung up on.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

function send(response: ServerResponse, reply: Reply): void {
  if (reply.dropped) {
    response.socket?.destroy();
    return;
  }
  response.writeHead(reply.status, {
    'content-type': reply.type,
    'content-length': Buffer.byteLength(reply.body),
    'x-amzn-requestid': randomUUID(),
    ...reply.headers,
  });
  response.end(reply.body);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function readRestRequest({ headers, method = 'GET' }: IncomingMessage, url: URL, body: Buffer): RestRequest {
  const path = url.pathname.slice(1).split('/').map(decodeURIComponent);
  return { method, path, query: url.searchParams, headers, body };
}

/** The top-level strings and the tags of a request of the JSON protocol. */
function namesOfJson(input: unknown): CallNames {
  const members = typeof input === 'object' && input !== null ? (input as Record<string, unknown>) : {};
  const tags = Array.isArray(members.Tags) ? (members.Tags as Tag[]) : [];
  return {
    text: (name) => (typeof members[name] === 'string' ? members[name] : undefined),
    tags,
  };
}

function parseJson(body: string): unknown {
  try {
    return body === '' ? {} : JSON.parse(body);
  } catch {
    throw new AwsError('SerializationException', 'The request is not valid JSON.');
  }
}
