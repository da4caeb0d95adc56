// {{name}}: what runs here runs while the guest is built. It registers; everything else belongs into handlers.

import { DaprServer } from "@dapr/dapr";
{{imports}}
const server = new DaprServer();
{{offers}}server.start();
