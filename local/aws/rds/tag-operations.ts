import { AwsError } from '../errors';
import type { Answer } from '../query-protocol';
import { parseArn } from './arns';
import type { Tag } from './model';
import { requireParameterGroup } from './parameter-groups';
import type { RdsCall } from './request';
import { readTags, requireInstance, requireSnapshot } from './request';

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddTagsToResource.html */
export function addTagsToResource(call: RdsCall): Answer {
  const resource = requireTagged(call);
  const added = readTags(call.parameters) ?? [];
  if (added.some(({ Key }) => Key.startsWith('aws:'))) {
    throw new AwsError('InvalidParameterValue', 'Tag keys that begin with aws: are reserved for AWS.');
  }
  resource.tags = [...resource.tags.filter(({ Key }) => !added.some((tag) => tag.Key === Key)), ...added];
  call.context.store.changed();
  return undefined;
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RemoveTagsFromResource.html */
export function removeTagsFromResource(call: RdsCall): Answer {
  const resource = requireTagged(call);
  const keys = call.parameters.texts('TagKeys') ?? [];
  resource.tags = resource.tags.filter(({ Key }) => !keys.includes(Key));
  call.context.store.changed();
  return undefined;
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ListTagsForResource.html */
export function listTagsForResource(call: RdsCall): Answer {
  return { TagList: requireTagged(call).tags.map(({ Key, Value }) => ({ Key, Value })) };
}

function requireTagged(call: RdsCall): { tags: Tag[] } {
  const name = call.parameters.required('ResourceName');
  const arn = parseArn(name);
  if (!arn || arn.region !== call.region) {
    throw new AwsError(
      'InvalidParameterValue',
      `The specified resource name does not match an RDS resource in this region: ${name}`,
    );
  }
  switch (arn.kind) {
    case 'db':
      return requireInstance(call, arn.name);
    case 'snapshot':
      return requireSnapshot(call, arn.name);
    case 'pg':
      return requireParameterGroup(call, arn.name);
    case 'og':
    case 'subgrp': {
      const made = arn.kind === 'og' ? call.rds.optionGroups : call.rds.subnetGroups;
      const resource = made?.[arn.name];
      if (resource) return resource;
      throw new AwsError('InvalidParameterValue', `There is no such resource: ${name}`);
    }
    default:
      throw new AwsError('InvalidParameterValue', `Unexpected ARN type: ${name}`);
  }
}
