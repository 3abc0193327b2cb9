/** What is known of permissions. */
export interface IamState {
  /** The policy of every principal of the account, an IAM policy document as JSON. Absent: everything is allowed. */
  policy?: string;
  /** Whether calls are held against the policy; by default it is only simulated. */
  enforce: boolean;
}
