import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Services of the stand-in, by the name that a signature has for them, and by the folder of their model in botocore. */
export const MODEL_FOLDERS = {
  rds: 'rds',
  kms: 'kms',
  secretsmanager: 'secretsmanager',
  ssm: 'ssm',
  ec2: 'ec2',
  iam: 'iam',
  sts: 'sts',
  monitoring: 'cloudwatch',
  logs: 'logs',
  pricing: 'pricing',
  route53: 'route53',
  s3: 's3',
} as const;
export type ServiceName = keyof typeof MODEL_FOLDERS;

/** A member of a structure, or the items of a list: which shape it has, and where it is in a message. */
export interface MemberModel {
  readonly shape: string;
  readonly locationName?: string;
  /** Absent: the body. */
  readonly location?: 'uri' | 'querystring' | 'header' | 'headers' | 'statusCode';
  /** The name in requests of EC2, where it isn't `locationName` with a capital. */
  readonly queryName?: string;
  readonly flattened?: boolean;
}

/** A shape of the model. */
export interface ShapeModel {
  readonly type:
    | 'structure'
    | 'list'
    | 'map'
    | 'string'
    | 'integer'
    | 'long'
    | 'float'
    | 'double'
    | 'boolean'
    | 'timestamp'
    | 'blob'
    | 'character'
    | 'bigdecimal';
  readonly members?: Readonly<Record<string, MemberModel>>;
  readonly required?: readonly string[];
  readonly member?: MemberModel;
  readonly key?: MemberModel;
  readonly value?: MemberModel;
  readonly flattened?: boolean;
  readonly payload?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly min?: number;
  readonly max?: number;
  /** Of an error: the code on the wire, where it isn't the name of the shape. */
  readonly error?: { readonly code?: string; readonly httpStatusCode?: number };
}

/** An operation of the model. */
export interface OperationModel {
  readonly http: { readonly method: string; readonly requestUri: string; readonly responseCode?: number };
  readonly input?: { readonly shape: string; readonly locationName?: string };
  readonly output?: { readonly shape: string; readonly resultWrapper?: string };
  readonly errors?: readonly string[];
}

/** What AWS's own model says of a service, as far as the stand-in has its operations. */
export interface ServiceModel {
  readonly botocore: string;
  readonly protocol: 'query' | 'ec2' | 'json' | 'rest-xml';
  readonly operations: Readonly<Record<string, OperationModel>>;
  readonly shapes: Readonly<Record<string, ShapeModel>>;
}

const read = new Map<ServiceName, ServiceModel>();

/** Where the models lie; README.md there says where they come from. */
export const MODELS = join(__dirname, 'models');

/** The model of a service. */
export function modelOf(service: ServiceName): ServiceModel {
  const known = read.get(service);
  if (known) return known;
  const model = JSON.parse(readFileSync(join(MODELS, `${MODEL_FOLDERS[service]}.json`), 'utf8')) as ServiceModel;
  read.set(service, model);
  return model;
}

export const isService = (name: string): name is ServiceName => name in MODEL_FOLDERS;
