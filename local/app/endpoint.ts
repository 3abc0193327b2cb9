import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm';

/** Where the database is, as `host:port`; asked for again when a connection fails. */
export interface EndpointSource {
  /** The value known last, or the first one read. */
  current(): Promise<string>;
  /** Reads it again. Callers at the same time share one read. */
  refresh(): Promise<string>;
}

/** The application finds its database by an SSM parameter. */
export class ParameterEndpoint implements EndpointSource {
  private known: string | undefined;
  private reading: Promise<string> | undefined;

  constructor(
    private readonly ssm: SSMClient,
    private readonly name: string,
  ) {}

  async current(): Promise<string> {
    return this.known ?? this.refresh();
  }

  refresh(): Promise<string> {
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async read(): Promise<string> {
    const { Parameter } = await this.ssm.send(new GetParameterCommand({ Name: this.name }));
    if (!Parameter?.Value) throw new Error(`the parameter ${this.name} has no value`);
    this.known = Parameter.Value;
    return this.known;
  }
}

export function splitEndpoint(endpoint: string): { host: string; port: number } {
  const colon = endpoint.lastIndexOf(':');
  const [host, port] = [endpoint.slice(0, colon), Number(endpoint.slice(colon + 1))];
  if (colon < 1 || !Number.isInteger(port)) throw new Error(`"${endpoint}" is not host:port`);
  return { host, port };
}
