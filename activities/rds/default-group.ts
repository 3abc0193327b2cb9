/**
 * Whether a parameter group is one of RDS's own, which can't be modified, and so never has `rds.logical_replication=1`.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/parameter-groups-overview.html
 */
export const isDefaultGroup = (name: string): boolean => name.startsWith('default.');
