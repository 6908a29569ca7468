// What reading a kubeconfig takes with client-node, and nothing else.
import { KubeConfig } from '@kubernetes/client-node';

const config = new KubeConfig();
config.loadFromDefault();
await config.applyToHTTPSOptions({});
const isTaken = config.getCurrentCluster() !== null;
const at = Date.now();
console.log(JSON.stringify({ isTaken, at, rssKiB: process.resourceUsage().maxRSS }));
