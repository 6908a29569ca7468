// Command client-go-rival is one candidate of client-go's leader election, as any Go service runs it. Tests
// put it beside candidates of their own. Each line of its output is a JSON object that says what happened
// and when; `resign` on its standard input ends a term, and the end of that input ends the program.
package main

import (
	"bufio"
	"context"
	"flag"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

type settings struct {
	kubeconfig, namespace, lease, identity string
	duration, deadline, retry, pause       time.Duration
	loop, release                          bool
}

func main() {
	var s settings
	flag.StringVar(&s.kubeconfig, "kubeconfig", "", "file that names the cluster by its current context")
	flag.StringVar(&s.namespace, "namespace", "default", "where the Lease is")
	flag.StringVar(&s.lease, "lease", "", "name of the Lease")
	flag.StringVar(&s.identity, "identity", "", "name of this candidate")
	flag.DurationVar(&s.duration, "duration", 15*time.Second, "LeaseDuration")
	flag.DurationVar(&s.deadline, "deadline", 10*time.Second, "RenewDeadline")
	flag.DurationVar(&s.retry, "retry", 2*time.Second, "RetryPeriod")
	flag.DurationVar(&s.pause, "pause", 0, "time between the end of a term and the next campaign")
	flag.BoolVar(&s.loop, "loop", false, "campaign again after a term")
	flag.BoolVar(&s.release, "release", true, "ReleaseOnCancel")
	flag.Parse()
	// Its own account of things goes to standard error; tests show it when one fails.
	klog.SetOutput(os.Stderr)
	if err := run(s); err != nil {
		log.Fatal(err)
	}
}

func run(s settings) error {
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return err
	}
	// As the helper of client-go sets it for those who leave the choice to it.
	config.Timeout = max(time.Second, s.deadline/2)
	clients, err := kubernetes.NewForConfig(rest.AddUserAgent(config, "leader-election"))
	if err != nil {
		return err
	}
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: s.namespace, Name: s.lease},
		Client:     tellingGetter{clients.CoordinationV1()},
		LockConfig: resourcelock.ResourceLockConfig{Identity: s.identity},
	}
	ctx, stop := context.WithCancel(context.Background())
	var term canceller
	go onSignal(stop)
	go obey(os.Stdin, &term)
	tell(line{Event: "ready"})
	for {
		if err := campaign(ctx, s, lock, &term); err != nil {
			return err
		}
		if !s.loop || ctx.Err() != nil {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.pause):
		}
	}
}

// campaign takes part until one term of this candidate is over, or until there will be none.
func campaign(ctx context.Context, s settings, lock resourcelock.Interface, term *canceller) error {
	ctx = term.next(ctx)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   s.duration,
		RenewDeadline:   s.deadline,
		RetryPeriod:     s.retry,
		ReleaseOnCancel: s.release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(work context.Context) {
				tell(line{Event: "leading"})
				<-work.Done()
				tell(line{Event: "cancelled"})
			},
			// In the same goroutine as the call that cancels the work, right after it.
			OnStoppedLeading: func() { tell(line{Event: "stopped"}) },
			OnNewLeader:      func(identity string) { tell(line{Event: "leader", Holder: &identity}) },
		},
	})
	if err != nil {
		return err
	}
	tell(line{Event: "campaigning"})
	elector.Run(ctx)
	isLeader := elector.IsLeader()
	tell(line{Event: "ended", IsLeader: &isLeader})
	return nil
}

// canceller holds what ends the campaign or term under way.
type canceller struct {
	mutex  sync.Mutex
	cancel context.CancelFunc
}

func (c *canceller) next(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.cancel = cancel
	return ctx
}

func (c *canceller) resign() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.cancel == nil {
		return
	}
	// Told first: from the call on, the context of the work is cancelled.
	tell(line{Event: "resigning"})
	c.cancel()
}

func onSignal(stop context.CancelFunc) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	tell(line{Event: "resigning"})
	stop()
}

func obey(commands io.Reader, term *canceller) {
	scanner := bufio.NewScanner(commands)
	for scanner.Scan() {
		if scanner.Text() == "resign" {
			term.resign()
		}
	}
	// Whoever started this program is gone.
	os.Exit(1)
}
