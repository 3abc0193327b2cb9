import type { DBInstance, Tag } from '@aws-sdk/client-rds';
import { differenceOf } from './sets';
import type { FieldName, ModifyInput, SameField } from './setting-fields';
import { operatorTags, roleNames } from './setting-fields';
import type { Wanted } from './wanted-instance';

/** The `aws` command that makes a field as it is wanted; undefined where no command does. */
export function fixingCommand(
  name: FieldName,
  field: SameField,
  wanted: Wanted,
  found: DBInstance,
): string | undefined {
  const id = found.DBInstanceIdentifier ?? '';
  if (name === 'AssociatedRoles') return roleCommands(id, wanted.instance, found);
  if (name === 'TagList') return tagCommands(wanted.instance, found);
  if (name === 'DBInstanceAutomatedBackupsReplications') {
    return `aws rds start-db-instance-automated-backups-replication --source-db-instance-arn ${found.DBInstanceArn ?? ''} --region <the other region>`;
  }
  const input = field.modify?.(wanted.instance, found);
  if (!input || Object.keys(input).length === 0) return undefined;
  return `aws rds modify-db-instance --db-instance-identifier ${id} ${flags(input)} --apply-immediately`;
}

function roleCommands(id: string, wanted: DBInstance, found: DBInstance): string {
  const change = (verb: string) => (role: string) => {
    const [feature = '', arn = ''] = role.split(' ');
    return `aws rds ${verb} --db-instance-identifier ${id} --feature-name ${feature} --role-arn ${arn}`;
  };
  const [missing, extra] = [
    differenceOf(roleNames(wanted), roleNames(found)),
    differenceOf(roleNames(found), roleNames(wanted)),
  ];
  // A feature has one role: the old one goes first.
  return [...extra.map(change('remove-role-from-db-instance')), ...missing.map(change('add-role-to-db-instance'))].join(
    ' && ',
  );
}

function tagCommands(wanted: DBInstance, found: DBInstance): string {
  const text = ({ Key, Value }: Tag) => JSON.stringify({ Key, Value });
  const missing = differenceOf(operatorTags(wanted).map(text), operatorTags(found).map(text));
  const keys = operatorTags(wanted).map(({ Key }) => Key);
  const extra = operatorTags(found).flatMap(({ Key }) => (Key === undefined || keys.includes(Key) ? [] : [Key]));
  const of = `--resource-name ${found.DBInstanceArn ?? ''}`;
  return [
    ...(missing.length > 0 ? [`aws rds add-tags-to-resource ${of} --tags ${missing.map(quote).join(' ')}`] : []),
    ...(extra.length > 0 ? [`aws rds remove-tags-from-resource ${of} --tag-keys ${extra.map(quote).join(' ')}`] : []),
  ].join(' && ');
}

/** Parameters as options of the `aws` command. */
function flags(input: ModifyInput): string {
  return Object.entries(input as Record<string, unknown>)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const option = kebab(name);
      if (typeof value === 'boolean') return value ? `--${option}` : `--no-${option}`;
      if (Array.isArray(value)) {
        return `--${option} ${value.map((one) => quote(typeof one === 'string' ? one : JSON.stringify(one))).join(' ')}`;
      }
      return `--${option} ${quote(typeof value === 'string' ? value : JSON.stringify(value))}`;
    })
    .join(' ');
}

/** How botocore spells the names of parameters as options (`xform_name`). */
const kebab = (name: string): string =>
  name
    .replace(/(.)([A-Z][a-z]+)/g, '$1-$2')
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase();

const quote = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
