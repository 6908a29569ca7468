package main

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// line is what one line of the output says. Times are wall-clock milliseconds since the epoch.
type line struct {
	At    float64 `json:"at"`
	Event string  `json:"event"`
	// When the request left, for `get`, `create` and `update`.
	SentAt      float64  `json:"sentAt,omitempty"`
	Error       string   `json:"error,omitempty"`
	Version     string   `json:"version,omitempty"`
	Holder      *string  `json:"holder,omitempty"`
	RenewTime   *float64 `json:"renewTime,omitempty"`
	Transitions *int32   `json:"transitions,omitempty"`
	IsLeader    *bool    `json:"isLeader,omitempty"`
}

var output sync.Mutex

// tell writes the line at once: what a process that is killed has told is not lost.
func tell(l line) {
	l.At = milliseconds(time.Now())
	text, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

func milliseconds(t time.Time) float64 {
	return float64(t.UnixMicro()) / 1000
}

// tellingGetter tells of every request that the elector makes, and of what it read or wrote.
type tellingGetter struct {
	coordinationclient.LeasesGetter
}

func (g tellingGetter) Leases(namespace string) coordinationclient.LeaseInterface {
	return tellingLeases{g.LeasesGetter.Leases(namespace)}
}

type tellingLeases struct {
	coordinationclient.LeaseInterface
}

func (l tellingLeases) Get(
	ctx context.Context, name string, options metav1.GetOptions,
) (*coordinationv1.Lease, error) {
	sentAt := time.Now()
	lease, err := l.LeaseInterface.Get(ctx, name, options)
	tellRequest("get", sentAt, lease, err)
	return lease, err
}

func (l tellingLeases) Create(
	ctx context.Context, wish *coordinationv1.Lease, options metav1.CreateOptions,
) (*coordinationv1.Lease, error) {
	sentAt := time.Now()
	lease, err := l.LeaseInterface.Create(ctx, wish, options)
	tellRequest("create", sentAt, lease, err)
	return lease, err
}

func (l tellingLeases) Update(
	ctx context.Context, wish *coordinationv1.Lease, options metav1.UpdateOptions,
) (*coordinationv1.Lease, error) {
	sentAt := time.Now()
	lease, err := l.LeaseInterface.Update(ctx, wish, options)
	tellRequest("update", sentAt, lease, err)
	return lease, err
}

func tellRequest(event string, sentAt time.Time, lease *coordinationv1.Lease, err error) {
	told := line{Event: event, SentAt: milliseconds(sentAt)}
	if err != nil {
		told.Error = err.Error()
		tell(told)
		return
	}
	spec := lease.Spec
	told.Version, told.Holder, told.Transitions = lease.ResourceVersion, spec.HolderIdentity, spec.LeaseTransitions
	if spec.RenewTime != nil {
		renewTime := milliseconds(spec.RenewTime.Time)
		told.RenewTime = &renewTime
	}
	tell(told)
}
