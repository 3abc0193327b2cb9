import { describeAccountAttributes } from './account-attributes';
import {
  createBlueGreenDeployment,
  deleteBlueGreenDeployment,
  describeBlueGreenDeployments,
} from './blue-green-operations';
import { describeDBEngineVersions } from './engine-versions';
import { describeEvents } from './event-operations';
import {
  createDBInstance,
  deleteDBInstance,
  describeDBInstances,
  rebootDBInstance,
  startDBInstance,
  stopDBInstance,
} from './instance-operations';
import { describeDBLogFiles, downloadDBLogFilePortion } from './log-operations';
import { applyPendingMaintenanceAction, describePendingMaintenanceActions } from './maintenance-operations';
import { modifyDBInstance } from './modify-instance';
import { createOptionGroup, deleteOptionGroup, describeOptionGroups } from './option-groups';
import { describeOrderableDBInstanceOptions } from './orderable-options';
import {
  createDBParameterGroup,
  deleteDBParameterGroup,
  describeDBParameterGroups,
  describeDBParameters,
  modifyDBParameterGroup,
  resetDBParameterGroup,
} from './parameter-group-operations';
import {
  createDBProxy,
  deleteDBProxy,
  deregisterDBProxyTargets,
  describeDBProxies,
  describeDBProxyTargetGroups,
  describeDBProxyTargets,
  modifyDBProxyTargetGroup,
  registerDBProxyTargets,
} from './proxy-operations';
import { createDBInstanceReadReplica } from './replica-operations';
import type { RdsOperation } from './request';
import { deleteDBInstanceAutomatedBackup, describeDBInstanceAutomatedBackups } from './retained-backups';
import {
  copyDBSnapshot,
  createDBSnapshot,
  deleteDBSnapshot,
  describeDBSnapshots,
  restoreDBInstanceFromDBSnapshot,
} from './snapshot-operations';
import { addRoleToDBInstance, removeRoleFromDBInstance } from './role-operations';
import { createDBSubnetGroup, deleteDBSubnetGroup, describeDBSubnetGroups } from './subnet-groups';
import { addTagsToResource, listTagsForResource, removeTagsFromResource } from './tag-operations';

/** The operations of RDS that the stand-in knows. */
export const RDS_OPERATIONS: Readonly<Record<string, RdsOperation>> = {
  CreateDBInstance: createDBInstance,
  DescribeDBInstances: describeDBInstances,
  ModifyDBInstance: modifyDBInstance,
  CreateDBInstanceReadReplica: createDBInstanceReadReplica,
  RebootDBInstance: rebootDBInstance,
  StopDBInstance: stopDBInstance,
  StartDBInstance: startDBInstance,
  DeleteDBInstance: deleteDBInstance,
  DescribeDBInstanceAutomatedBackups: describeDBInstanceAutomatedBackups,
  DeleteDBInstanceAutomatedBackup: deleteDBInstanceAutomatedBackup,
  CreateDBSnapshot: createDBSnapshot,
  CopyDBSnapshot: copyDBSnapshot,
  DescribeDBSnapshots: describeDBSnapshots,
  DeleteDBSnapshot: deleteDBSnapshot,
  RestoreDBInstanceFromDBSnapshot: restoreDBInstanceFromDBSnapshot,
  CreateDBParameterGroup: createDBParameterGroup,
  ModifyDBParameterGroup: modifyDBParameterGroup,
  ResetDBParameterGroup: resetDBParameterGroup,
  DescribeDBParameterGroups: describeDBParameterGroups,
  DescribeDBParameters: describeDBParameters,
  DeleteDBParameterGroup: deleteDBParameterGroup,
  DescribeDBLogFiles: describeDBLogFiles,
  DownloadDBLogFilePortion: downloadDBLogFilePortion,
  AddTagsToResource: addTagsToResource,
  ListTagsForResource: listTagsForResource,
  RemoveTagsFromResource: removeTagsFromResource,
  DescribeDBEngineVersions: describeDBEngineVersions,
  DescribeEvents: describeEvents,
  DescribeAccountAttributes: describeAccountAttributes,
  CreateDBSubnetGroup: createDBSubnetGroup,
  DescribeDBSubnetGroups: describeDBSubnetGroups,
  DeleteDBSubnetGroup: deleteDBSubnetGroup,
  CreateDBProxy: createDBProxy,
  DescribeDBProxies: describeDBProxies,
  DescribeDBProxyTargetGroups: describeDBProxyTargetGroups,
  DescribeDBProxyTargets: describeDBProxyTargets,
  RegisterDBProxyTargets: registerDBProxyTargets,
  DeregisterDBProxyTargets: deregisterDBProxyTargets,
  ModifyDBProxyTargetGroup: modifyDBProxyTargetGroup,
  DeleteDBProxy: deleteDBProxy,
  CreateBlueGreenDeployment: createBlueGreenDeployment,
  DescribeBlueGreenDeployments: describeBlueGreenDeployments,
  DeleteBlueGreenDeployment: deleteBlueGreenDeployment,
  DescribePendingMaintenanceActions: describePendingMaintenanceActions,
  ApplyPendingMaintenanceAction: applyPendingMaintenanceAction,
  DescribeOrderableDBInstanceOptions: describeOrderableDBInstanceOptions,
  CreateOptionGroup: createOptionGroup,
  DescribeOptionGroups: describeOptionGroups,
  DeleteOptionGroup: deleteOptionGroup,
  AddRoleToDBInstance: addRoleToDBInstance,
  RemoveRoleFromDBInstance: removeRoleFromDBInstance,
};
