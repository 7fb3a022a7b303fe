// What programs built on client-go rely on, asked of a running cluster: `KUBECONFIG=… go test`.
//
// Each test runs with a client that speaks JSON, one that speaks protobuf and takes JSON (client-go's own default), and one that
// takes protobuf alone.
package client

import (
	"context"
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const protobuf = "application/vnd.kubernetes.protobuf"

// What a client sends, and what it accepts ("": what client-go makes of the first).
var speeches = map[string][2]string{
	"json":          {"application/json", ""},
	"default":       {protobuf, ""},
	"protobuf only": {protobuf, protobuf},
}

func config(t *testing.T) *rest.Config {
	found, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must(t, err)
	found.QPS, found.Burst = 500, 500
	return found
}

// each runs a test for every way to speak, each in a namespace of its own.
func each(t *testing.T, test func(*testing.T, context.Context, *kubernetes.Clientset, string)) {
	for name, types := range speeches {
		t.Run(name, func(t *testing.T) {
			how := config(t)
			how.ContentType, how.AcceptContentTypes = types[0], types[1]
			client := kubernetes.NewForConfigOrDie(how)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			wanted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "go-"}}
			space, err := client.CoreV1().Namespaces().Create(ctx, wanted, metav1.CreateOptions{})
			must(t, err)
			defer client.CoreV1().Namespaces().Delete(context.Background(), space.Name, metav1.DeleteOptions{})
			test(t, ctx, client, space.Name)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func to[V any](value V) *V { return &value }

func settings(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"a": "1"}}
}

func deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	pod := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "localhost/hello:1"}}}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	spec := appsv1.DeploymentSpec{Replicas: to(int32(0)), Selector: selector, Template: template}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func TestListedWatchedAndGotObjectsAreTheSame(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, client *kubernetes.Clientset, space string) {
		maps := client.CoreV1().ConfigMaps(space)
		only := metav1.ListOptions{FieldSelector: "metadata.name=a"}
		watching, err := maps.Watch(ctx, only)
		must(t, err)
		defer watching.Stop()
		made, err := maps.Create(ctx, settings("a"), metav1.CreateOptions{})
		must(t, err)
		seen := <-watching.ResultChan()
		if seen.Type != watch.Added || !equality.Semantic.DeepEqual(seen.Object, made) {
			t.Errorf("watched %v, made %v", seen, made)
		}
		listed, err := maps.List(ctx, only)
		must(t, err)
		if len(listed.Items) != 1 || !equality.Semantic.DeepEqual(listed.Items[0], *made) {
			t.Errorf("listed %v, made %v", listed.Items, made)
		}
	})
}

func TestInformersFollow(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, client *kubernetes.Clientset, space string) {
		factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(space))
		events := make(chan string, 100)
		factory.Apps().V1().Deployments().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { events <- "added" },
			DeleteFunc: func(any) { events <- "deleted" },
		})
		factory.Start(ctx.Done())
		for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
			if !synced {
				t.Fatalf("%v did not sync", kind)
			}
		}
		_, err := client.AppsV1().Deployments(space).Create(ctx, deployment("d"), metav1.CreateOptions{})
		must(t, err)
		if first := <-events; first != "added" {
			t.Errorf("first %s", first)
		}
		must(t, client.AppsV1().Deployments(space).Delete(ctx, "d", metav1.DeleteOptions{}))
		if last := <-events; last != "deleted" {
			t.Errorf("last %s", last)
		}
	})
}

func TestNewerKindsAndFieldsArrive(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, client *kubernetes.Clientset, space string) {
		exactly := &resourcev1.ExactDeviceRequest{DeviceClassName: "c", AdminAccess: to(false)}
		requests := []resourcev1.DeviceRequest{{Name: "r", Exactly: exactly}}
		claim := &resourcev1.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Name: "c"}}
		claim.Spec.Devices.Requests = requests
		made, err := client.ResourceV1().ResourceClaims(space).Create(ctx, claim, metav1.CreateOptions{})
		must(t, err)
		if got := made.Spec.Devices.Requests[0].Exactly; got.Count != 1 || got.AdminAccess == nil || *got.AdminAccess {
			t.Errorf("%+v", got)
		}
		template := deployment("d")
		template.Spec.Template.Spec.HostnameOverride = to("h")
		template.Spec.Template.Spec.EnableServiceLinks = to(false)
		done, err := client.AppsV1().Deployments(space).Create(ctx, template, metav1.CreateOptions{FieldValidation: "Strict"})
		must(t, err)
		if pod := done.Spec.Template.Spec; *pod.HostnameOverride != "h" || *pod.EnableServiceLinks {
			t.Errorf("%+v", pod)
		}
	})
}

// A manifest may write out zeros that Go's types do not have.
func TestAnUpdateThatChangesNothingChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, client *kubernetes.Clientset, space string) {
		manifest := `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
			"schedulingGates": [{"name": "a.io/b"}], "hostNetwork": false, "subdomain": "",
			"containers": [{"name": "c", "image": "x", "tty": false, "env": [{"name": "E", "value": ""}], "ports": []}]}}`
		making := client.CoreV1().RESTClient().Post().Namespace(space).Resource("pods")
		must(t, making.SetHeader("Content-Type", "application/json").Body([]byte(manifest)).Do(ctx).Error())
		pod, err := client.CoreV1().Pods(space).Get(ctx, "p", metav1.GetOptions{})
		must(t, err)
		updated, err := client.CoreV1().Pods(space).Update(ctx, pod, metav1.UpdateOptions{})
		must(t, err)
		if updated.ResourceVersion != pod.ResourceVersion {
			t.Errorf("was %s, is %s", pod.ResourceVersion, updated.ResourceVersion)
		}
	})
}

func TestRefusalsAreTyped(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, client *kubernetes.Clientset, space string) {
		maps := client.CoreV1().ConfigMaps(space)
		first, err := maps.Create(ctx, settings("a"), metav1.CreateOptions{})
		must(t, err)
		second := first.DeepCopy()
		second.Data["a"] = "2"
		_, err = maps.Update(ctx, second, metav1.UpdateOptions{})
		must(t, err)
		_, conflict := maps.Update(ctx, first, metav1.UpdateOptions{})
		_, exists := maps.Create(ctx, settings("a"), metav1.CreateOptions{})
		_, missing := maps.Get(ctx, "none", metav1.GetOptions{})
		_, invalid := maps.Create(ctx, settings("Not_A_Name"), metav1.CreateOptions{})
		_, garbage := maps.List(ctx, metav1.ListOptions{Continue: "garbage"})
		for name, is := range map[string]bool{
			"conflict": apierrors.IsConflict(conflict), "exists": apierrors.IsAlreadyExists(exists),
			"missing": apierrors.IsNotFound(missing), "garbage": apierrors.IsBadRequest(garbage),
			"invalid": apierrors.IsInvalid(invalid) && apierrors.HasStatusCause(invalid, metav1.CauseTypeFieldValueInvalid),
		} {
			if !is {
				t.Errorf("%s: %v, %v, %v, %v, %v", name, conflict, exists, missing, garbage, invalid)
			}
		}
	})
}

// A leader that goes says so, and the next need not wait for the lease to end.
func TestLeadershipIsHandedOver(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, client *kubernetes.Clientset, space string) {
		leading := make(chan string, 2)
		run := func(ctx context.Context, name string) {
			lock, _ := resourcelock.New(resourcelock.LeasesResourceLock, space, "lead", client.CoreV1(),
				client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: name})
			leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
				Lock: lock, ReleaseOnCancel: true,
				LeaseDuration: time.Minute, RenewDeadline: 30 * time.Second, RetryPeriod: 200 * time.Millisecond,
				Callbacks: leaderelection.LeaderCallbacks{
					OnStartedLeading: func(context.Context) { leading <- name }, OnStoppedLeading: func() {},
				},
			})
		}
		first, leave := context.WithCancel(ctx)
		go run(first, "a")
		<-leading
		leave()
		go run(ctx, "b")
		select {
		case <-leading:
		case <-time.After(20 * time.Second):
			t.Error("the lease was not released")
		}
	})
}
