/** What an instance costs a day by AWS's price list, on demand: what is reserved or discounted nobody here can see. */
export interface DailyCost {
  readonly instance: string;
  /** What is priced: class, deployment, storage. */
  readonly what: string;
  /** Absent: not known. */
  readonly amount?: number;
  /** ISO 4217. */
  readonly currency?: string;
  /** Why there is no amount. */
  readonly unknown?: string;
}

/** `app-db: about 12.34 USD a day (db.m6g.large, Single-AZ, 100 GiB gp3, on demand)`. */
export function costLine({ instance, what, amount, currency = '', unknown = '' }: DailyCost): string {
  return amount === undefined
    ? `${instance}: what it costs a day is not known (${what}): ${unknown}`
    : `${instance}: about ${amount.toFixed(2)} ${currency} a day (${what}, on demand)`;
}
