//go:build !wasip1

package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/internal/world"
)

// Instances of berthtest's world: they are started and told things, and do nothing.

func start(workflow string, input []byte, o options) (string, error) {
	w := world.Current
	if w.Broken != nil {
		return "", w.Broken
	}
	id := o.instanceID
	if id == "" {
		id = fmt.Sprintf("instance-%d", len(w.Instances)+1)
	}
	if w.Instances[id] != nil {
		if o.conflict != nil && *o.conflict == UseExisting {
			return id, nil
		}
		return "", world.Fail(berth.Exists, "there is an instance "+id)
	}
	w.Instances[id] = &world.Instance{ID: id, Workflow: workflow, Input: input, Status: Running.String()}
	return id, nil
}

func lift(found *world.Instance) *Instance {
	status := Status(max(0, slices.Index(statusNames, found.Status)))
	return &Instance{ID: found.ID, Workflow: found.Workflow, Status: status}
}

func find(id string) (*world.Instance, error) {
	w := world.Current
	if w.Broken != nil {
		return nil, w.Broken
	}
	if w.Instances[id] == nil {
		return nil, world.Fail(berth.NotFound, "there is no instance "+id)
	}
	return w.Instances[id], nil
}

func get(id string, _ options) (*Instance, error) {
	w := world.Current
	if w.Broken != nil || w.Instances[id] == nil {
		return nil, w.Broken
	}
	return lift(w.Instances[id]), nil
}

func wait(id string, _ options) (*Instance, error) {
	found, err := find(id)
	if err != nil {
		return nil, err
	}
	instance := lift(found)
	if !instance.Status.HasEnded() {
		return nil, world.Fail(berth.Timeout, id+" has not ended")
	}
	return instance, nil
}

func change(id string, to func(*world.Instance)) error {
	found, err := find(id)
	if err == nil {
		to(found)
	}
	return err
}

func become(id string, status Status) error {
	return change(id, func(i *world.Instance) { i.Status = status.String() })
}

func raise(id, event string, _ []byte, _ options) error {
	return change(id, func(i *world.Instance) { i.Events = append(i.Events, event) })
}

func cancel(id, _ string, _ options) error    { return become(id, Canceled) }
func suspend(id, _ string, _ options) error   { return become(id, Suspended) }
func resume(id, _ string, _ options) error    { return become(id, Running) }
func terminate(id, _ string, _ options) error { return become(id, Terminated) }

func purge(id string, _ options) (bool, error) {
	w := world.Current
	_, wasThere := w.Instances[id]
	delete(w.Instances, id)
	return wasThere, w.Broken
}

func list(prefix string, o options) (instances []*Instance, next string, err error) {
	w := world.Current
	for _, id := range slices.Sorted(maps.Keys(w.Instances)) {
		found := w.Instances[id]
		if strings.HasPrefix(id, prefix) && (o.workflow == "" || o.workflow == found.Workflow) {
			instances = append(instances, lift(found))
		}
	}
	return instances, "", w.Broken
}

func rerun(id string, _ uint64, o options) (string, error) {
	found, err := find(id)
	if err != nil {
		return "", err
	}
	return start(found.Workflow, found.Input, o)
}
