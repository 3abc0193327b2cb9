import { z } from 'zod';
import type { Context } from '../context';
import { AwsError } from '../errors';
import type { JsonOperation } from '../json-protocol';
import { page } from '../json-protocol';
import { ACCOUNT_ID } from '../state';
import { exportLogs, logGroupsOf, newLogGroup } from './groups';
import type { LogGroupRecord } from './model';

const groupName = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[.\-_/#A-Za-z0-9]+$/);
const tags = z.record(z.string(), z.string());
const named = z.object({ logGroupName: groupName });
const resource = z.object({ resourceArn: z.string() });

/** What `PutRetentionPolicy` takes (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html). */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** The operations on log groups (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/). */
export function logsOperations(context: Context): Record<string, JsonOperation> {
  const { store } = context;
  const groupsOf = (region: string) => logGroupsOf(store.region(region));
  const find = (region: string, reference: string): LogGroupRecord => {
    const name = reference.replace(`arn:aws:logs:${region}:${ACCOUNT_ID}:log-group:`, '').replace(/:\*$/, '');
    const group = groupsOf(region)[name];
    if (!group) throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');
    return group;
  };
  return {
    CreateLogGroup(input, { region }) {
      const request = read(
        named.extend({
          kmsKeyId: z.string().optional(),
          tags: tags.default({}),
          logGroupClass: z.enum(['STANDARD', 'INFREQUENT_ACCESS', 'DELIVERY']).default('STANDARD'),
          deletionProtectionEnabled: z.boolean().default(false),
        }),
        input,
      );
      const { logGroupName: name, kmsKeyId, logGroupClass } = request;
      if (groupsOf(region)[name]) {
        throw new AwsError('ResourceAlreadyExistsException', 'The specified log group already exists');
      }
      groupsOf(region)[name] = newLogGroup(region, name, {
        kmsKeyArn: kmsKeyId,
        logGroupClass,
        deletionProtected: request.deletionProtectionEnabled,
        tags: request.tags,
      });
      store.changed();
      return {};
    },

    DescribeLogGroups(input, { region }) {
      const request = read(
        z.object({
          logGroupNamePrefix: groupName.optional(),
          logGroupNamePattern: z.string().optional(),
          limit: z.int().min(1).max(50).default(50),
          nextToken: z.string().optional(),
        }),
        input,
      );
      const { logGroupNamePrefix: prefix = '', logGroupNamePattern: pattern = '' } = request;
      if (prefix !== '' && pattern !== '') {
        throw new AwsError(
          'InvalidParameterException',
          'LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.',
        );
      }
      const wanted = Object.values(groupsOf(region))
        .filter(({ name }) => name.startsWith(prefix) && name.includes(pattern))
        .sort((left, right) => (left.name < right.name ? -1 : 1));
      const { items, next } = page(wanted, request.nextToken, request.limit);
      return { logGroups: items.map(shape), nextToken: next };
    },

    DeleteLogGroup(input, { region }) {
      const group = find(region, read(named, input).logGroupName);
      if (group.deletionProtected) {
        throw new AwsError(
          'ValidationException',
          'Cannot delete log group with deletion protection enabled. Disable deletion protection first.',
        );
      }
      const { [group.name]: _gone, ...others } = groupsOf(region);
      const state = store.region(region);
      state.logGroups = others;
      for (const instance of Object.values(state.rds.instances)) exportLogs(context, instance);
      store.changed();
      return {};
    },

    PutRetentionPolicy(input, { region }) {
      const days = z.object({ retentionInDays: z.int().refine((value) => RETENTION_DAYS.includes(value)) });
      const { logGroupName, retentionInDays } = read(named.extend(days.shape), input);
      find(region, logGroupName).retentionDays = retentionInDays;
      store.changed();
      return {};
    },

    PutLogGroupDeletionProtection(input, { region }) {
      const request = read(z.object({ logGroupIdentifier: z.string(), deletionProtectionEnabled: z.boolean() }), input);
      find(region, request.logGroupIdentifier).deletionProtected = request.deletionProtectionEnabled;
      store.changed();
      return {};
    },

    ListTagsForResource(input, { region }) {
      return { tags: find(region, read(resource, input).resourceArn).tags };
    },

    TagResource(input, { region }) {
      const request = read(resource.extend({ tags }), input);
      Object.assign(find(region, request.resourceArn).tags, request.tags);
      store.changed();
      return {};
    },
  };
}

/** Malformed input has another word here than with the other JSON services. */
function read<Shape extends z.ZodType>(schema: Shape, input: unknown): z.infer<Shape> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `'${path.join('.')}': ${message}`);
  throw new AwsError('InvalidParameterException', `1 validation error detected: ${problems.join('; ')}`);
}

/** `arn` ends with `:*`, as policies want it; `logGroupArn` doesn't. Sizes lag by hours on AWS, and stay 0 here. */
function shape(group: LogGroupRecord): object {
  return {
    logGroupName: group.name,
    creationTime: new Date(group.createdAt).getTime(),
    retentionInDays: group.retentionDays,
    metricFilterCount: 0,
    arn: `${group.arn}:*`,
    logGroupArn: group.arn,
    storedBytes: 0,
    kmsKeyId: group.kmsKeyArn,
    logGroupClass: group.logGroupClass,
    deletionProtectionEnabled: group.deletionProtected,
  };
}
