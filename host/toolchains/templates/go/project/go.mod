module example.com/{{name}}

go 1.24

require berth.dev/sdk v0.1.0

// `berth build` brings the SDK.
replace berth.dev/sdk => ./.berth/wit/sdk/go
