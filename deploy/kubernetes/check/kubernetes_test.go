// What Kubernetes is given: both ways give the same, all of it is what the API knows, and what
// keeps a fleet safe is in it. It has been applied to no cluster.

package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	admission "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// matter leaves out what the two ways may differ in: labels of the object itself, what Helm is told
// about it, and the sum by which the chart's pods follow their settings, as Kustomize's do by a
// name.
func matter(all objects) objects {
	for _, o := range all {
		meta := o["metadata"].(map[string]any)
		delete(meta, "labels")
		if meta["annotations"] != nil && o["kind"] == "PersistentVolumeClaim" {
			delete(meta, "annotations")
		}
		if o["kind"] == "Deployment" {
			template := o["spec"].(map[string]any)["template"].(map[string]any)["metadata"].(map[string]any)
			delete(template["annotations"].(map[string]any), "checksum/settings")
		}
	}
	return all
}

func TestBothWaysGiveTheSame(t *testing.T) {
	all := rendered(t)
	for _, with := range []string{"", ", autoscale", ", doors"} {
		if diff := cmp.Diff(matter(all["kustomize"+with]), matter(all["helm"+with])); diff != "" {
			t.Errorf("-kustomize%[1]s +helm%[1]s\n%s", with, diff)
		}
	}
	for way, want := range map[string]int{"kustomize": 10, "kustomize, autoscale": 11, "kustomize, doors": 23} {
		if len(all[way]) != want {
			t.Errorf("%s: %d objects, not %d", way, len(all[way]), want)
		}
	}
}

func TestKubernetesKnowsAll(t *testing.T) {
	for way, all := range rendered(t) {
		for name, o := range all {
			version := o["apiVersion"]
			switch kind := o["kind"]; {
			case kind == "Deployment" && version == "apps/v1":
				as[appsv1.Deployment](t, o)
			case kind == "PodDisruptionBudget" && version == "policy/v1":
				as[policyv1.PodDisruptionBudget](t, o)
			case kind == "NetworkPolicy" && version == "networking.k8s.io/v1":
				as[networkingv1.NetworkPolicy](t, o)
			case kind == "HorizontalPodAutoscaler" && version == "autoscaling/v2":
				as[autoscalingv2.HorizontalPodAutoscaler](t, o)
			case kind == "ServiceAccount" && version == "v1":
				as[corev1.ServiceAccount](t, o)
			case kind == "Service" && version == "v1":
				as[corev1.Service](t, o)
			case kind == "PersistentVolumeClaim" && version == "v1":
				as[corev1.PersistentVolumeClaim](t, o)
			case kind == "ConfigMap" && version == "v1":
				as[corev1.ConfigMap](t, o)
			default:
				t.Errorf("%s: what is %s of %v?", way, name, version)
			}
		}
	}
}

// row finds a setting's default in the table of deploy/README.md.
func row(t *testing.T, variable string) (meant string, known bool) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?m)^\\| `[^|]*` \\| `" + variable + "` \\| `[^|]*` \\| `?([^|`]*)`? \\|").FindStringSubmatch(string(page))
	if m == nil {
		return "", false
	}
	return m[1], true
}

func TestDeployments(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for way, all := range rendered(t) {
		names := []string{"protocolq-worker", "protocolq-recorder"}
		if strings.HasSuffix(way, "doors") {
			names = append(names, "protocolq-console", "protocolq-http")
		}
		for _, name := range names {
			d := as[appsv1.Deployment](t, all["Deployment/"+name])
			pod := d.Spec.Template
			level := admission.LevelVersion{Level: admission.LevelRestricted, Version: admission.LatestVersion()}
			for _, r := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
				if !r.Allowed {
					t.Errorf("%s: %s is not restricted: %s, %s", way, name, r.ForbiddenReason, r.ForbiddenDetail)
				}
			}
			checkPod(t, way+": "+name, all, pod)
			selects := func(what string, s *metav1.LabelSelector) {
				t.Helper()
				of, err := metav1.LabelSelectorAsSelector(s)
				if err != nil || of.Empty() || !of.Matches(labels.Set(pod.Labels)) {
					t.Errorf("%s: %s of %s selects other pods: %v", way, what, name, err)
				}
			}
			selects("the deployment", d.Spec.Selector)
			budget := as[policyv1.PodDisruptionBudget](t, all["PodDisruptionBudget/"+name])
			selects("the budget", budget.Spec.Selector)
			network := as[networkingv1.NetworkPolicy](t, all["NetworkPolicy/"+name])
			selects("the network policy", &network.Spec.PodSelector)
			if len(network.Spec.PolicyTypes) != 2 || len(pod.Spec.TopologySpreadConstraints) != 2 {
				t.Errorf("%s: %s is open, or not spread", way, name)
			}
			for _, c := range pod.Spec.TopologySpreadConstraints {
				selects("the spread over "+c.TopologyKey, c.LabelSelector)
			}
			if name == "protocolq-console" {
				checkAudit(t, way+": "+name, all, &d)
			}
			if got := outside(t, &network); got != (name != "protocolq-recorder") {
				t.Errorf("%s: %s reaches HTTPS outside the cluster: %v", way, name, got)
			}
			if service, is := all["Service/"+name]; is {
				checkService(t, way+": "+name, as[corev1.Service](t, service), &pod, &network)
			}
		}
	}
}

// checkAudit looks whether who did what on the page outlives its pod, on a volume of one pod at a
// time.
func checkAudit(t *testing.T, of string, all objects, d *appsv1.Deployment) {
	t.Helper()
	c, file := d.Spec.Template.Spec.Containers[0], ""
	for _, e := range c.Env {
		if e.Name == "PROTOCOLQ_CONSOLE_AUDIT_FILE" {
			file = e.Value
		}
	}
	for _, m := range c.VolumeMounts {
		if m.ReadOnly || !strings.HasPrefix(file, m.MountPath+"/") {
			continue
		}
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.Name != m.Name || v.PersistentVolumeClaim == nil {
				continue
			}
			claim := as[corev1.PersistentVolumeClaim](t, all["PersistentVolumeClaim/"+v.PersistentVolumeClaim.ClaimName])
			if size := claim.Spec.Resources.Requests[corev1.ResourceStorage]; size.String() != "1Gi" || claim.Spec.AccessModes[0] != corev1.ReadWriteOnce {
				t.Errorf("%s: its volume is %+v", of, claim.Spec)
			}
			if strings.Contains(of, "helm") && claim.Annotations["helm.sh/resource-policy"] != "keep" {
				t.Errorf("%s: its volume goes with the release", of)
			}
			if *d.Spec.Replicas != 1 || d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
				t.Errorf("%s: %d pods, replaced by %s, want one volume", of, *d.Spec.Replicas, d.Spec.Strategy.Type)
			}
			return
		}
	}
	t.Errorf("%s: the audit is on no volume that outlives the pod: %q", of, file)
}

// outside tells whether a policy lets out HTTPS to addresses that are no pod's: the gateway, the
// provider that readers sign in at, webhooks.
func outside(t *testing.T, network *networkingv1.NetworkPolicy) (lets bool) {
	t.Helper()
	for _, rule := range network.Spec.Egress {
		for _, to := range rule.To {
			if to.IPBlock == nil {
				continue
			}
			lets = true
			if len(rule.Ports) != 1 || rule.Ports[0].Port.IntVal != 443 || to.IPBlock.CIDR != "0.0.0.0/0" || len(to.IPBlock.Except) != 4 {
				t.Errorf("%s lets out to %+v at %+v", network.Name, to.IPBlock, rule.Ports)
			}
		}
	}
	return lets
}

// checkService looks whether a door's address leads to it, and the network policy lets callers in.
func checkService(t *testing.T, of string, s corev1.Service, pod *corev1.PodTemplateSpec, network *networkingv1.NetworkPolicy) {
	t.Helper()
	if len(s.Spec.Selector) == 0 || !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod.Labels)) {
		t.Errorf("%s: its service selects other pods", of)
	}
	door := pod.Spec.Containers[0].Ports[1]
	open := network.Spec.Ingress[1].Ports[0].Port.IntVal
	if p := s.Spec.Ports[0]; p.TargetPort.String() != door.Name || p.Port != door.ContainerPort || open != door.ContainerPort {
		t.Errorf("%s: its service leads to %s, its policy lets in at %d, and it is at %s", of, p.TargetPort.String(), open, door.Name)
	}
}

// checkPod looks at what the program is given, and asked.
func checkPod(t *testing.T, of string, all objects, pod corev1.PodTemplateSpec) {
	t.Helper()
	meant, _ := row(t, "PROTOCOLQ_GRACE")
	grace, err := time.ParseDuration(meant)
	if err != nil || time.Duration(*pod.Spec.TerminationGracePeriodSeconds)*time.Second < 2*grace {
		t.Errorf("%s is given %d s to end, and the setting grace is %s", of, *pod.Spec.TerminationGracePeriodSeconds, meant)
	}
	c := pod.Spec.Containers[0]
	for path, p := range map[string]*corev1.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe, "/startupz": c.StartupProbe} {
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Path != path || p.HTTPGet.Port.String() != "http" {
			t.Errorf("%s: %s is not asked: %+v", of, path, p)
		}
	}
	if m := *pod.Spec.Volumes[0].Secret.DefaultMode; m != 0o440 {
		t.Errorf("%s: its secrets have mode %o", of, m)
	}
	given := map[string]string{}
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			t.Fatalf("%s: a secret is a variable", of)
		}
		for variable, value := range as[corev1.ConfigMap](t, all["ConfigMap/"+from.ConfigMapRef.Name]).Data {
			given[variable] = value
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil {
			t.Errorf("%s: %s is not a plain value", of, e.Name)
		}
		given[e.Name] = e.Value
	}
	for variable, value := range given {
		if _, known := row(t, variable); !known && variable != "PGPASSFILE" && variable != "GOMEMLIMIT" {
			t.Errorf("%s: there is no setting %s", of, variable)
		}
		mounted := func(m corev1.VolumeMount) bool { return strings.HasPrefix(value, m.MountPath+"/") }
		if strings.HasPrefix(value, "/") && !slices.ContainsFunc(c.VolumeMounts, mounted) {
			t.Errorf("%s: %s names %s, which is not mounted", of, variable, value)
		}
	}
	for variable, port := range map[string]int32{"PROTOCOLQ_CONSOLE_LISTEN": 8470, "PROTOCOLQ_API_LISTEN": 8481} {
		if at, is := given[variable]; is && (at != fmt.Sprintf("0.0.0.0:%d", port) || c.Ports[1].ContainerPort != port) {
			t.Errorf("%s: its door is at %s, its port %d", of, at, c.Ports[1].ContainerPort)
		}
	}
	if given["PROTOCOLQ_HTTP_LISTEN"] != "0.0.0.0:8080" || c.Ports[0].ContainerPort != 8080 {
		t.Errorf("%s listens at %s", of, given["PROTOCOLQ_HTTP_LISTEN"])
	}
}

func TestAutoscaling(t *testing.T) {
	for way, all := range rendered(t) {
		d := as[appsv1.Deployment](t, all["Deployment/protocolq-worker"])
		o, scales := all["HorizontalPodAutoscaler/protocolq-worker"]
		if scales != strings.HasSuffix(way, "autoscale") || scales == (d.Spec.Replicas != nil) {
			t.Errorf("%s: scales %v, beside replicas %v", way, scales, d.Spec.Replicas)
		}
		if !scales {
			continue
		}
		h := as[autoscalingv2.HorizontalPodAutoscaler](t, o)
		metric := h.Spec.Metrics[0].Pods.Metric.Name
		adapter, err := os.ReadFile(filepath.Join("..", "autoscale", "adapter.yaml"))
		if err != nil || !strings.Contains(string(adapter), "as: "+metric+"}") {
			t.Errorf("%s: nobody gives the metric %s: %v", way, metric, err)
		}
		// Its two figures are those of the program.
		for _, name := range []string{"inflight", "slots"} {
			source, err := os.ReadFile(filepath.Join("..", "..", "..", "worker", "ops", "worker.go"))
			if err != nil || !strings.Contains(string(source), `{"`+name+`", `) || !strings.Contains(string(adapter), "protocolq_"+name+"{") {
				t.Errorf("there is no metric protocolq_%s: %v", name, err)
			}
		}
	}
}
