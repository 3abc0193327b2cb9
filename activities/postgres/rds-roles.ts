import { escapeLiteral } from './session';

/** Roles with which RDS itself logs in; they must keep their access. */
export const RDS_LOGINS = ['rdsadmin', 'rdsrepladmin', 'rdsproxyadmin', 'rdstopmgr', 'rdswriteforwarduser'] as const;

/**
 * Roles that RDS makes in every server of its own accord. Known by their exact names: users make roles that begin with `rds`, too, and AWS's own
 * guide to pgAudit has them make `rds_pgaudit`.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html and
 * `pg_dumpall --roles-only` of RDS for PostgreSQL 14 to 17
 */
export const RDS_ROLES = [
  ...RDS_LOGINS,
  'rds_superuser',
  'rds_replication',
  'rds_iam',
  'rds_password',
  'rds_ad',
  'rds_extension',
  'rds_reserved',
] as const;

/** Condition: the role whose name is in `column` is neither PostgreSQL's own (nobody else may begin a name with `pg_`) nor RDS's. */
export const ofUsers = (column: string): string => `(${column} !~ '^pg_' AND ${notOfRds(column)})`;

/** Condition: the role whose name is in `column` is none that RDS makes. */
export const notOfRds = (column: string): string => `${column} NOT IN (${RDS_ROLES.map(escapeLiteral).join(', ')})`;
