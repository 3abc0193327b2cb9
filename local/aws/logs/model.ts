/** A log group of CloudWatch Logs. The events themselves are not kept here. */
export interface LogGroupRecord {
  readonly name: string;
  readonly arn: string;
  readonly createdAt: string;
  readonly kmsKeyArn?: string | undefined;
  readonly logGroupClass: string;
  retentionDays?: number | undefined;
  deletionProtected: boolean;
  tags: Record<string, string>;
}
