/** Fetches what would otherwise be fetched by the first demo or test that needs it. */
import { messageOf, toStderr } from './report';
import { findTemporalCli } from './temporal-cli';

findTemporalCli().then(
  ({ path, version, source }) => toStderr(`Temporal CLI ${version} (${source}): ${path}`),
  (error: unknown) => {
    toStderr(messageOf(error));
    process.exitCode = 1;
  },
);
