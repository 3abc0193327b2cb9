/** What is known of permissions. */
export interface IamState {
  /** The policy of every principal of the account, an IAM policy document as JSON. Absent: everything is allowed. */
  policy?: string;
  /** Whether calls are held against the policy; by default it is only simulated. */
  enforce: boolean;
  /** The access key whose calls are held against it; absent: everybody's. */
  caller?: string | undefined;
  /** What was refused, by action and resource; each once. */
  refused?: string[];
}
