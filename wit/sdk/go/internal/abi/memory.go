//go:build wasip1

// Package abi lays out what guests and the host hand each other, by the component model's canonical ABI: lists and texts are
// pairs of address and length, options and variants begin with their case, records are as Go lays out a struct.
package abi

import "unsafe"

// Where the host puts what it gives: outside of Go's heap, since Go must not run here, neither its collector, which asks for the
// time, nor its scheduler. While the host calls cabi_realloc, it takes no calls. Everything is copied from here before
// it is used, so the room is used again as soon as nobody reads from it.
var room struct {
	// What is free, and where it began.
	next, end, begin uintptr
	// How many are reading.
	readers int
	// Go's packages are being set up: until they are, it is the WASI adapter that asks, for memory that it keeps.
	isReady bool
}

// More than the largest common call needs, and a whole number of Wasm's pages.
const leastGrowth = 1 << 17

func init() { room.isReady = true }

// The only way to more memory that leaves Go's own idea of its end true.
//
//go:linkname sbrk runtime.sbrk
func sbrk(size uintptr) unsafe.Pointer

//go:wasmexport cabi_realloc
//go:nosplit
func realloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	start := (room.next + align - 1) &^ (align - 1)
	if start+size > room.end {
		start = grow(align, size)
	}
	room.next = start + size
	if !room.isReady {
		room.begin = room.next
	}
	place := unsafe.Pointer(start)
	for at := uintptr(0); at < oldSize && at < size; at++ {
		*(*byte)(unsafe.Add(place, at)) = *(*byte)(unsafe.Add(old, at))
	}
	return place
}

// Finds more room, each time twice as much, so that what is left behind is never more than what is used.
//
//go:nosplit
func grow(align, size uintptr) uintptr {
	growth := 2 * (room.end - room.begin)
	if growth < leastGrowth {
		growth = leastGrowth
	}
	if growth < size+align {
		growth = (size + align + 65535) &^ 65535
	}
	begin := uintptr(sbrk(growth))
	if begin == 0 {
		panic("berth: no memory for what the host gives")
	}
	room.begin, room.end = begin, begin+growth
	return (begin + align - 1) &^ (align - 1)
}

// Reading keeps what the host has given until the function is called that it returns. An export that takes more than numbers
// begins with it.
func Reading() (done func()) {
	room.readers++
	return stopReading
}

func stopReading() {
	room.readers--
	if room.readers == 0 {
		room.next = room.begin
	}
}
