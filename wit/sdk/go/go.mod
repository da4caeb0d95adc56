module berth.dev/sdk

go 1.24
