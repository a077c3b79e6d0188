{{/*
Helpers of this chart and of the vendored library charts (wazuh, thehive, cortex).
Templates of a component get one scope, made by "soctalk-tenant.scope":
  root       the chart's own context (values, release, chart)
  name       the component: its pods' app.kubernetes.io/name, its ServiceAccount, its workload
  component  app.kubernetes.io/component
  values     the component's part of .Values.components
*/}}
{{- define "soctalk-tenant.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of pods: what selectors and policies use, and nothing that changes with a release. */}}
{{- define "soctalk-tenant.podLabels" -}}
{{ include "soctalk-tenant.selectorLabels" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: soctalk
{{- end }}

{{- define "soctalk-tenant.labels" -}}
{{ include "soctalk-tenant.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
tenant-id: {{ .root.Values.tenant.id }}
{{- with .root.Values.tenant.tier }}
soctalk.io/tier: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Annotations of workloads (not of pods). */}}
{{- define "soctalk-tenant.workloadAnnotations" -}}
{{- if .root.Values.reloader.enabled }}
annotations:
  reloader.stakater.com/auto: "true"
{{- end }}
{{- end }}

{{/* Number of replicas: every workload runs once, and not at all in a suspended tenant. */}}
{{- define "soctalk-tenant.replicas" -}}
{{- eq .root.Values.tenant.state "suspended" | ternary 0 1 -}}
{{- end }}

{{/*
Image reference; a digest wins over a tag, and the chart's own images.lock.yaml says which bytes a tag stands for.
Takes {root, image: {repository, tag, digest}}.
*/}}
{{- define "soctalk-tenant.image" -}}
{{- $tagged := printf "%v:%v" .image.repository .image.tag -}}
{{- $lock := .root.Files.Get "images.lock.yaml" | fromYaml -}}
{{- $digest := .image.digest | default (get ($lock.images | default dict) $tagged) -}}
{{- if $digest -}}
{{ .image.repository }}@{{ $digest }}
{{- else -}}
{{ $tagged }}
{{- end -}}
{{- end }}

{{/* Resources with quoted quantities: 1.5 and "1.5" are the same. */}}
{{- define "soctalk-tenant.resources" -}}
requests:
  cpu: {{ .requests.cpu | quote }}
  memory: {{ .requests.memory | quote }}
limits:
  cpu: {{ .limits.cpu | quote }}
  memory: {{ .limits.memory | quote }}
{{- end }}

{{/* A Kubernetes quantity of bytes (512Mi, 1.5Gi, 2G) in whole MiB. */}}
{{- define "soctalk-tenant.mebibytes" -}}
{{- $quantity := toString . -}}
{{- $factors := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 -}}
{{- $number := regexFind "^[0-9.]+" $quantity | float64 -}}
{{- $unit := regexFind "[A-Za-z]*$" $quantity -}}
{{- printf "%.0f" (floor (divf (mulf $number (get $factors $unit)) 1048576.0)) -}}
{{- end }}

{{/* A share of a memory quantity in MiB. Takes {quantity, percent}. */}}
{{- define "soctalk-tenant.memoryShare" -}}
{{- $mebibytes := include "soctalk-tenant.mebibytes" .quantity | int -}}
{{- div (mul $mebibytes .percent) 100 -}}
{{- end }}

{{/* The fields every pod has. Takes the component's scope and `grace`, the seconds it gets to stop. */}}
{{- define "soctalk-tenant.podSpec" -}}
serviceAccountName: {{ .scope.name }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
{{- with .scope.root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include "soctalk-tenant.placement" .scope }}
{{- end }}

{{/* Spread a tenant's pods over nodes and zones; keep the stores that compete for disk and page cache apart. Preferences only: one node must do for small-dev. */}}
{{- define "soctalk-tenant.placement" -}}
topologySpreadConstraints:
  - topologyKey: kubernetes.io/hostname
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app.kubernetes.io/instance: {{ .root.Release.Name }}
        app.kubernetes.io/part-of: soctalk
{{- if eq .component "store" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              app.kubernetes.io/component: store
              app.kubernetes.io/part-of: soctalk
{{- end }}
{{- end }}

{{/* Pod security context of an unprivileged user. Takes {uid, gid, fsGroup}. */}}
{{- define "soctalk-tenant.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .gid }}
fsGroup: {{ .fsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Container security context that the restricted profile accepts. Takes whether the root file system is read-only. */}}
{{- define "soctalk-tenant.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ . }}
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* A PodDisruptionBudget. One replica: a drain may move it, one at a time, and a broken pod never blocks a drain. */}}
{{- define "soctalk-tenant.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "soctalk-tenant.selectorLabels" . | nindent 6 }}
{{- end }}

{{/* Spec of a claim. Takes {size, storageClassName}. */}}
{{- define "soctalk-tenant.claimSpec" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .size | quote }}
{{- end }}

{{/* Fields every StatefulSet has: one pod that rolls in place, claims that outlive it. */}}
{{- define "soctalk-tenant.statefulSetSpec" -}}
replicas: {{ include "soctalk-tenant.replicas" . }}
serviceName: {{ .name }}
podManagementPolicy: OrderedReady
revisionHistoryLimit: 3
updateStrategy:
  type: RollingUpdate
persistentVolumeClaimRetentionPolicy:
  whenDeleted: Retain
  whenScaled: Retain
selector:
  matchLabels:
    {{- include "soctalk-tenant.selectorLabels" . | nindent 4 }}
volumeClaimTemplates:
  - metadata:
      name: data
      labels:
        {{- include "soctalk-tenant.selectorLabels" . | nindent 8 }}
    spec:
      {{- include "soctalk-tenant.claimSpec" .values.persistence | nindent 6 }}
{{- end }}

{{/* An environment variable from a Secret. Takes {env, secret, key}. */}}
{{- define "soctalk-tenant.secretEnv" -}}
- name: {{ .env }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}

{{/*
HTTP over loopback with nothing but bash: the images need no client, and no
secret appears among the arguments of a process.
  request METHOD PATH [JSON] [USER:PASSWORD]   sets STATUS
Needs PORT.
*/}}
{{- define "soctalk-tenant.httpFunctions" -}}
request() {
  local method=$1 path=$2 body=${3-} credentials=${4-}
  STATUS=0
  exec 3<>"/dev/tcp/127.0.0.1/$PORT" || return 1
  {
    printf '%s %s HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n' "$method" "$path" "$PORT"
    if [ -n "$credentials" ]; then
      printf 'Authorization: Basic %s\r\n' "$(printf %s "$credentials" | base64 -w0)"
    fi
    if [ -n "$body" ]; then
      printf 'Content-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' "$(printf %s "$body" | wc -c)" "$body"
    else
      printf 'Content-Length: 0\r\n\r\n'
    fi
  } >&3
  IFS=' ' read -r -t 60 _ STATUS _ <&3 || STATUS=0
  cat <&3 >/dev/null
  exec 3>&-
  [ "$STATUS" != 0 ]
} 2>/dev/null
json_string() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}
wait_for_port() {
  until (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; do
    echo "waiting for $1:$2"
    sleep 5
  done
}
{{- end }}

{{/*
Workloads of this tenant and the Secrets that each reads, as YAML: a map from
ServiceAccount to Secret names. ServiceAccounts and Roles follow from it.
*/}}
{{- define "soctalk-tenant.readers" -}}
{{- $components := .Values.components -}}
{{- $secrets := .Values.secrets -}}
cassandra: [{{ $secrets.cassandraCreds }}]
{{- if $components.cortex.enabled }}
cortex: [{{ $secrets.cortexBootstrap }}]
{{- end }}
elasticsearch: []
soctalk-adapter: [{{ .Values.adapter.tokenSecretRef.name }}]
thehive: [{{ $secrets.cassandraCreds }}, {{ $secrets.thehiveBootstrap }}]
{{- if $components.wazuh.dashboard.enabled }}
wazuh-dashboard: [{{ $secrets.wazuhBootstrap }}, {{ $secrets.wazuhCerts }}]
{{- end }}
wazuh-indexer: [{{ $secrets.wazuhBootstrap }}, {{ $secrets.wazuhCerts }}]
wazuh-manager: [{{ $secrets.wazuhAuthd }}, {{ $secrets.wazuhBootstrap }}, {{ $secrets.wazuhCerts }}, {{ .Values.wazuhIngress.tls.secretName }}]
{{- end }}

{{/* Labels of objects that belong to no component. */}}
{{- define "soctalk-tenant.sharedLabels" -}}
{{ include "soctalk-tenant.labels" (dict "root" . "name" "soctalk-tenant" "component" "tenant") }}
{{- end }}
