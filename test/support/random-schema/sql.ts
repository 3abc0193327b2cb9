import { escapeIdentifier, escapeLiteral } from 'pg';

/** Quoted always: every name is to be written as its owner has written it. */
export const ident = (name: string): string => escapeIdentifier(name);
export const literal = (text: string): string => escapeLiteral(text);
export const qualified = (schema: string, name: string): string => `${ident(schema)}.${ident(name)}`;

/** The body of a function, whatever is in it. */
export const body = (text: string): string => `$keyshift_body$${text}$keyshift_body$`;

const SERVICE = '/* the service */ ';
/** A statement that no master user of RDS may run; the service made it some day. */
export const asService = (statement: string): string => `${SERVICE}${statement}`;
export const isOfService = (statement: string): boolean => statement.startsWith(SERVICE);

/** Gives a table to a role, which then has to be able to make one in its schema. */
export const giveTo = (table: string, { name }: { readonly name: string }): string[] => [
  `DO $keyshift_give$ BEGIN EXECUTE format('GRANT CREATE ON SCHEMA %s TO %I', (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = ${literal(table)}::regclass), ${literal(name)}); END $keyshift_give$`,
  `ALTER TABLE ${table} OWNER TO ${ident(name)}`,
];
