/** A rule of a security group: who may use which ports. */
export interface RuleRecord {
  readonly id: string;
  readonly egress: boolean;
  /** `tcp`, `udp`, `icmp`, or `-1` for all. */
  readonly protocol: string;
  /** -1 where the protocol has no ports. */
  readonly fromPort: number;
  readonly toPort: number;
  readonly cidr?: string;
  readonly cidrV6?: string;
  /** The group whose members may use it. */
  readonly group?: string;
  readonly prefixList?: string;
  readonly description?: string;
}

/** A security group. */
export interface SecurityGroupRecord {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly vpc: string;
  rules: RuleRecord[];
}

/** A subnet. */
export interface SubnetRecord {
  readonly id: string;
  readonly vpc: string;
  readonly zone: string;
  readonly cidr: string;
}

/** What was made in a region beside the default network, and rules of the default group once somebody changed them. */
export interface Ec2State {
  groups: Record<string, SecurityGroupRecord>;
  subnets: Record<string, SubnetRecord>;
  vpcs: Record<string, { readonly cidr: string }>;
}
