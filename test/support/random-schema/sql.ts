import { escapeIdentifier, escapeLiteral } from 'pg';

/** Quoted always: every name is to be written as its owner has written it. */
export const ident = (name: string): string => escapeIdentifier(name);
export const literal = (text: string): string => escapeLiteral(text);
export const qualified = (schema: string, name: string): string => `${ident(schema)}.${ident(name)}`;

/** The body of a function, whatever is in it. */
export const body = (text: string): string => `$keyshift_body$${text}$keyshift_body$`;
