"""{{name}}: what runs here runs while the guest is built. It registers; everything else belongs into handlers."""

from dapr.ext.grpc import App

import {{part}}

app = App()
{{part}}.offer(app)
app.run()
