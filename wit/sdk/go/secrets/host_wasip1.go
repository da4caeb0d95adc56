package secrets

import (
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

//go:wasmimport berth:secrets/store@0.1.0 get
func wasmGet(store, name string, metadata, metadataLen uint32, result unsafe.Pointer)

//go:wasmimport berth:secrets/store@0.1.0 get-bulk
func wasmGetBulk(store string, metadata, metadataLen uint32, result unsafe.Pointer)

type wireSecret struct {
	_      abi.Layout
	name   abi.Text
	values abi.List
}

func get(store, name string, o options) (Secret, error) {
	call := abi.Begin()
	defer call.End()
	metadata, metadataLen := call.Pairs(o.metadata).Flat()
	result := new(abi.Result[wireSecret, abi.Failure])
	wasmGet(store, name, metadata, metadataLen, abi.Place(call, result))
	secret, failure := result.Get()
	if failure != nil {
		return nil, failure.Err(abi.Common)
	}
	return secret.values.Pairs(), nil
}

func all(store string, o options) (map[string]Secret, error) {
	call := abi.Begin()
	defer call.End()
	metadata, metadataLen := call.Pairs(o.metadata).Flat()
	result := new(abi.Result[abi.List, abi.Failure])
	wasmGetBulk(store, metadata, metadataLen, abi.Place(call, result))
	list, failure := result.Get()
	if failure != nil {
		return nil, failure.Err(abi.Common)
	}
	secrets := map[string]Secret{}
	for _, secret := range abi.View[wireSecret](*list) {
		secrets[secret.name.String()] = secret.values.Pairs()
	}
	return secrets, nil
}
