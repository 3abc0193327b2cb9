/** Sends one request as the product does, in a process of its own: what Node trusts is decided when it starts. */
import { post } from '../../activities/webhooks/post';

const [url = ''] = process.argv.slice(2);
void post(url, {}, '{}', 5_000).then((posted) => process.stdout.write(JSON.stringify(posted)));
