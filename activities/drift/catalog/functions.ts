import { notOfExtension, OF_USERS, type Part } from './part';

const FUNCTIONS = (kinds: string) =>
  `pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND ${OF_USERS} AND p.prokind IN (${kinds}) AND ${notOfExtension('pg_proc', 'p.oid')}`;
const WORD = `CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END`;
const isSet = (oid: string, text: string) => `CASE WHEN ${oid}::oid <> 0 THEN ${text} END`;
const AGGREGATE = `concat_ws(', ', 'SFUNC = ' || a.aggtransfn, 'STYPE = ' || format_type(a.aggtranstype, NULL),
  CASE WHEN a.aggtransspace <> 0 THEN 'SSPACE = ' || a.aggtransspace END, ${isSet('a.aggfinalfn', `'FINALFUNC = ' || a.aggfinalfn`)},
  CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END, ${isSet('a.aggcombinefn', `'COMBINEFUNC = ' || a.aggcombinefn`)},
  'INITCOND = ' || quote_literal(a.agginitval), ${isSet('a.aggmtransfn', `'MSFUNC = ' || a.aggmtransfn || ', MINVFUNC = ' || a.aggminvtransfn || ', MSTYPE = ' || format_type(a.aggmtranstype, NULL)`)},
  ${isSet('a.aggmfinalfn', `'MFINALFUNC = ' || a.aggmfinalfn`)}, 'MINITCOND = ' || quote_literal(a.aggminitval),
  ${isSet('a.aggsortop', `'SORTOP = ' || (SELECT format('OPERATOR(%I.%s)', n.nspname, oprname) FROM pg_operator o JOIN pg_namespace n ON n.oid = oprnamespace WHERE o.oid = a.aggsortop)`)},
  CASE p.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END)`;

/** Functions, procedures and aggregates. */
export const FUNCTION_PARTS: readonly Part[] = [
  {
    kind: 'function',
    sql: () => `SELECT p.oid::regprocedure::text AS id, NULL AS parent, pg_get_functiondef(p.oid) AS definition, pg_get_functiondef(p.oid) AS make,
        pg_get_functiondef(p.oid) AS alter, p.prokind::text || coalesce(pg_get_function_result(p.oid), '') || pg_get_function_identity_arguments(p.oid) || ';' AS alterable,
        format('DROP %s IF EXISTS %s', ${WORD}, p.oid::regprocedure) AS drop
      FROM ${FUNCTIONS(`'f', 'p', 'w'`)} ORDER BY p.oid`,
  },
  {
    kind: 'aggregate',
    sql: () => `SELECT p.oid::regprocedure::text AS id, NULL AS parent, a.aggkind::text || ${AGGREGATE} AS definition,
        CASE WHEN a.aggkind = 'n' THEN format('CREATE AGGREGATE %s.%I(%s) (%s)', p.pronamespace::regnamespace, p.proname,
          coalesce(nullif(pg_get_function_arguments(p.oid), ''), '*'), ${AGGREGATE}) END AS make,
        NULL AS alter, format('DROP AGGREGATE IF EXISTS %s.%I(%s)', p.pronamespace::regnamespace, p.proname,
          coalesce(nullif(pg_get_function_identity_arguments(p.oid), ''), '*')) AS drop
      FROM ${FUNCTIONS(`'a'`)} JOIN pg_aggregate a ON a.aggfnoid = p.oid ORDER BY p.oid`,
  },
];
