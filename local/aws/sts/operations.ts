import type { CredentialScope } from '../credential-scope';
import type { Answer } from '../query-protocol';
import { ACCOUNT_ID } from '../state';

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
export function getCallerIdentity(scope: CredentialScope): Answer {
  return {
    UserId: scope.accessKeyId,
    Account: ACCOUNT_ID,
    Arn: `arn:aws:iam::${ACCOUNT_ID}:user/${scope.accessKeyId}`,
  };
}
