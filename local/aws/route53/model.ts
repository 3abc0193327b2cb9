/** A record set: all values that a name has for one type, or one of several such sets that share the queries by weight. */
export interface RecordSet {
  /** As Route 53 writes it: lower case, with the dot at the end. */
  readonly name: string;
  readonly type: string;
  /** Seconds; an alias has none. */
  readonly ttl?: number;
  readonly values?: readonly string[];
  readonly alias?: { readonly zoneId: string; readonly name: string; readonly evaluateTargetHealth: boolean };
  /** Tells apart the sets of one name and type that have a routing policy. */
  readonly setIdentifier?: string;
  /** 0 to 255; the share of the queries is the weight divided by the sum of all weights. */
  readonly weight?: number;
  /** Other routing policies, as the request had them. */
  readonly policy?: { readonly name: 'Region' | 'Failover' | 'MultiValueAnswer'; readonly value: string };
  readonly healthCheckId?: string;
}

/** A hosted zone. */
export interface HostedZoneRecord {
  readonly id: string;
  readonly name: string;
  readonly callerReference: string;
  readonly comment?: string;
  readonly privateZone: boolean;
  readonly nameServers: readonly string[];
  /** In the order in which Route 53 lists them. */
  records: RecordSet[];
}

/** A change that was accepted, on its way to the name servers. */
export interface ChangeRecord {
  readonly id: string;
  status: 'PENDING' | 'INSYNC';
  readonly submittedAt: string;
  readonly comment?: string;
}

/** Route 53 knows no regions. */
export interface Route53State {
  zones: Record<string, HostedZoneRecord>;
  changes: Record<string, ChangeRecord>;
}
