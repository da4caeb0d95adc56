// {{name}}: what runs here runs while the guest is built. It registers; everything else belongs into handlers.

import { DaprServer } from "@dapr/dapr";
import * as {{part}} from "./{{part}}";

const server = new DaprServer();
{{part}}.offer(server);
server.start();
