import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Context } from './context';
import { controlApi } from './control-api';
import type { CredentialScope } from './credential-scope';
import { readCredentialScope } from './credential-scope';
import { AwsError } from './errors';
import type { JsonOperation } from './json-protocol';
import { jsonError } from './json-protocol';
import { kmsOperations } from './kms/operations';
import { QueryParameters, renderAnswer, renderError } from './query-protocol';
import type { Answer } from './query-protocol';
import { RDS_OPERATIONS } from './rds/operations';
import { secretsOperations } from './secrets/operations';
import { ssmOperations } from './ssm/operations';
import { getCallerIdentity } from './sts/operations';

const RDS_NAMESPACE = 'http://rds.amazonaws.com/doc/2014-10-31/';
const STS_NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** What is sent back. */
interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** The effect took place, but the connection is cut instead of an answer. */
  readonly dropped?: boolean;
}

/** The one HTTP server for all services; which one is meant says the credential scope of the signature. */
export function createAwsServer(context: Context): Server {
  const json: Readonly<Record<string, Record<string, JsonOperation>>> = {
    kms: kmsOperations(context),
    secretsmanager: secretsOperations(context),
    ssm: ssmOperations(context),
  };
  const control = controlApi(context);

  async function answer(request: IncomingMessage): Promise<Reply> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const body = await readBody(request);
    if (url.pathname.startsWith('/_keyshift/')) {
      const { status, value } = await control(request.method ?? 'GET', url, body);
      await context.store.flush();
      return { status, type: 'application/json', body: `${JSON.stringify(value, undefined, 2)}\n` };
    }
    const scope = readCredentialScope(request, url);
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
      refuse(name, 'ThrottlingException');
      const result = await operation(parseJson(body), { region: scope.region });
      await context.store.flush();
      return { status: 200, type, body: JSON.stringify(result), dropped: context.faults.dropsAnswer(name) };
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
    const namespace = scope?.service === 'sts' ? STS_NAMESPACE : RDS_NAMESPACE;
    const requestId = randomUUID();
    const type = 'text/xml';
    try {
      if (!scope) {
        const missing = new AwsError('MissingAuthenticationToken', 'Request is missing Authentication Token', 403);
        if (!isJson) throw missing;
        const exception = new AwsError('MissingAuthenticationTokenException', missing.message);
        return { status: 400, type: 'application/x-amz-json-1.1', body: JSON.stringify(jsonError(exception)) };
      }
      refuse(action, 'Throttling');
      const result = await callQuery(scope, action, QueryParameters.parse(form));
      await context.store.flush();
      const dropped = context.faults.dropsAnswer(action);
      return { status: 200, type, body: renderAnswer(action, namespace, result, requestId), dropped };
    } catch (error) {
      const known = asAwsError(error, action);
      return { status: known.status, type, body: renderError(known, namespace, requestId) };
    }
  }

  async function callQuery(scope: CredentialScope, action: string, parameters: QueryParameters): Promise<Answer> {
    if (scope.service === 'sts' && action === 'GetCallerIdentity') return getCallerIdentity(scope);
    const operation = scope.service === 'rds' ? RDS_OPERATIONS[action] : undefined;
    if (!operation) {
      throw new AwsError(
        'InvalidAction',
        `Could not find operation ${action} for service ${scope.service} in the stand-in`,
      );
    }
    const { rds } = context.store.region(scope.region);
    const stall = context.faults.stallOf(action);
    return operation({ context, parameters, scope, region: scope.region, rds, stall });
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

  return createServer((request, response) => {
    answer(request)
      .then((reply) => send(response, reply))
      .catch((error: unknown) => {
        context.log.error({ err: error }, 'request broke');
        response.destroy();
      });
  });
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
  });
  response.end(reply.body);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(body: string): unknown {
  try {
    return body === '' ? {} : JSON.parse(body);
  } catch {
    throw new AwsError('SerializationException', 'The request is not valid JSON.');
  }
}
