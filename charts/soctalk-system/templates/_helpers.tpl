{{/*
A component's scope is made where it is used: {root, name}. `name` is its pods'
app.kubernetes.io/name and its workload; its ServiceAccount is <name>-sa.
*/}}
{{- define "soctalk-system.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of pods: what selectors and policies use, and nothing that changes with a release. */}}
{{- define "soctalk-system.podLabels" -}}
{{ include "soctalk-system.selectorLabels" . }}
app.kubernetes.io/part-of: soctalk
{{- end }}

{{- define "soctalk-system.labels" -}}
{{ include "soctalk-system.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of objects that belong to no component. */}}
{{- define "soctalk-system.sharedLabels" -}}
{{ include "soctalk-system.labels" (dict "root" . "name" "soctalk-system") }}
{{- end }}

{{- define "soctalk-system.workloadAnnotations" -}}
{{- if .root.Values.reloader.enabled }}
annotations:
  reloader.stakater.com/auto: "true"
{{- end }}
{{- end }}

{{/*
Image reference; a digest wins over a tag, and the chart's own images.lock.yaml says which bytes a tag stands for.
Takes {root, image: {repository, tag, digest}}.
*/}}
{{- define "soctalk-system.image" -}}
{{- $tagged := printf "%v:%v" .image.repository .image.tag -}}
{{- $lock := .root.Files.Get "images.lock.yaml" | fromYaml -}}
{{- $digest := .image.digest | default (get ($lock.images | default dict) $tagged) -}}
{{- if $digest -}}
{{ .image.repository }}@{{ $digest }}
{{- else -}}
{{ $tagged }}
{{- end -}}
{{- end }}

{{/* Image of one of SocTalk's own containers. Takes {root, component}. */}}
{{- define "soctalk-system.ownImage" -}}
{{- $own := get .root.Values.images .component -}}
{{- include "soctalk-system.image" (dict "root" .root "image" (dict
  "repository" ($own.repository | default (printf "%s/soctalk-%s" .root.Values.image.registry .component))
  "tag" ($own.tag | default .root.Values.image.tag)
  "digest" $own.digest)) -}}
{{- end }}

{{/* Image of the migration: the API's where it has none of its own. */}}
{{- define "soctalk-system.migrationImage" -}}
{{- $own := .Values.images.migration -}}
{{- if or $own.repository $own.tag $own.digest -}}
{{- include "soctalk-system.image" (dict "root" . "image" (dict
  "repository" ($own.repository | default .Values.images.api.repository | default (printf "%s/soctalk-api" .Values.image.registry))
  "tag" ($own.tag | default .Values.image.tag)
  "digest" $own.digest)) -}}
{{- else -}}
{{- include "soctalk-system.ownImage" (dict "root" . "component" "api") -}}
{{- end -}}
{{- end }}

{{/* Resources with quoted quantities: 1.5 and "1.5" are the same. */}}
{{- define "soctalk-system.resources" -}}
requests:
  cpu: {{ .requests.cpu | quote }}
  memory: {{ .requests.memory | quote }}
limits:
  cpu: {{ .limits.cpu | quote }}
  memory: {{ .limits.memory | quote }}
{{- end }}

{{/* A Kubernetes quantity of bytes (512Mi, 1.5Gi, 2G) in whole MiB. */}}
{{- define "soctalk-system.mebibytes" -}}
{{- $quantity := toString . -}}
{{- $factors := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 -}}
{{- $number := regexFind "^[0-9.]+" $quantity | float64 -}}
{{- $unit := regexFind "[A-Za-z]*$" $quantity -}}
{{- printf "%.0f" (floor (divf (mulf $number (get $factors $unit)) 1048576.0)) -}}
{{- end }}

{{/* The fields every pod has. Takes the component's scope, `grace` (seconds to stop) and `token` (whether it calls the Kubernetes API). */}}
{{- define "soctalk-system.podSpec" -}}
serviceAccountName: {{ .scope.name }}-sa
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
{{- with .scope.root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Keep replicas, and the control plane's pods, on different nodes where there are enough. */}}
{{- define "soctalk-system.placement" -}}
topologySpreadConstraints:
  - topologyKey: kubernetes.io/hostname
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "soctalk-system.selectorLabels" . | nindent 8 }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 50
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              app.kubernetes.io/instance: {{ .root.Release.Name }}
              app.kubernetes.io/part-of: soctalk
{{- end }}

{{/* Pod security context that the restricted profile accepts. Takes a user id, which is the group's as well. */}}
{{- define "soctalk-system.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "soctalk-system.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* A PodDisruptionBudget: one pod at a time, and a broken one never blocks a drain. */}}
{{- define "soctalk-system.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-system.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "soctalk-system.selectorLabels" . | nindent 6 }}
{{- end }}

{{/* Whether pods reach the world through the egress proxy only. */}}
{{- define "soctalk-system.calico" -}}
{{- if eq .Values.networkPolicies.mode "calico-egress-proxy" }}true{{ end -}}
{{- end }}

{{- define "soctalk-system.compatibilityConfigMap" -}}
{{- .Values.compatibilityConfigMap | default "soctalk-compatibility" -}}
{{- end }}

{{/*
Where Postgres is and who holds which credentials, as YAML:
{host, port, database, roles: {admin|app|mssp: {secret, username, password}}}
with the keys of user name and password in the Secret.
*/}}
{{- define "soctalk-system.postgres" -}}
{{- if .Values.postgres.enabled -}}
host: soctalk-postgres
port: 5432
database: soctalk
roles:
  {{- range list "admin" "app" "mssp" }}
  {{ . }}: { secret: soctalk-postgres-{{ . }}-creds, username: username, password: password }
  {{- end }}
{{- else -}}
{{- $external := .Values.postgres.external -}}
host: {{ $external.host | quote }}
port: {{ $external.port }}
database: {{ $external.database | quote }}
roles:
  {{- range list "admin" "app" "mssp" }}
  {{ . }}: { secret: {{ $external.existingSecret }}, username: {{ . }}_user, password: {{ . }}_password }
  {{- end }}
{{- end -}}
{{- end }}

{{/* Environment of a container that connects as a role: POSTGRES_<ROLE>_USERNAME and _PASSWORD. Takes {root, role}. */}}
{{- define "soctalk-system.postgresRole" -}}
{{- $postgres := include "soctalk-system.postgres" .root | fromYaml -}}
{{- $role := get $postgres.roles .role -}}
{{- range $part := list "username" "password" }}
- name: POSTGRES_{{ upper $.role }}_{{ upper $part }}
  valueFrom:
    secretKeyRef:
      name: {{ $role.secret }}
      key: {{ get $role $part }}
{{- end }}
{{- end }}

{{/* A connection URL made by the kubelet from the variables above; it stands in no object. Takes {root, role, env}. */}}
{{- define "soctalk-system.postgresUrl" -}}
{{- $postgres := include "soctalk-system.postgres" .root | fromYaml -}}
- name: {{ .env }}
  value: postgresql+asyncpg://$(POSTGRES_{{ upper .role }}_USERNAME):$(POSTGRES_{{ upper .role }}_PASSWORD)@{{ $postgres.host }}:{{ $postgres.port }}/{{ $postgres.database }}
{{- end }}

{{/* What libpq needs besides a password. */}}
{{- define "soctalk-system.libpq" -}}
{{- $postgres := include "soctalk-system.postgres" .root | fromYaml -}}
- { name: PGHOST, value: {{ $postgres.host | quote }} }
- { name: PGPORT, value: {{ $postgres.port | quote }} }
- { name: PGDATABASE, value: {{ $postgres.database | quote }} }
- { name: PGUSER, value: $(POSTGRES_{{ upper .role }}_USERNAME) }
- { name: PGPASSWORD, value: $(POSTGRES_{{ upper .role }}_PASSWORD) }
- { name: PGCONNECT_TIMEOUT, value: "5" }
{{- end }}

{{/*
An init container that holds a pod back until the database has had the migration
of this release. The migration leaves its id in a table, which travels with
dumps and which every role may read; ids stay, so an older release finds its own
after a rollback. It works however a release is applied, with hooks or without.
*/}}
{{- define "soctalk-system.waitForSchema" -}}
- name: wait-for-schema
  image: {{ include "soctalk-system.image" (dict "root" . "image" .Values.images.postgres) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [/bin/sh, -c]
  args:
    - |
      until [ "$(psql -XAtc "SELECT 1 FROM public.soctalk_schema_history WHERE id = '$SCHEMA'" 2>/tmp/error)" = 1 ]; do
        echo "waiting for schema $SCHEMA $(head -n 1 /tmp/error)"
        sleep 5
      done
  env:
    {{- include "soctalk-system.postgresRole" (dict "root" . "role" "app") | nindent 4 }}
    {{- include "soctalk-system.libpq" (dict "root" . "role" "app") | nindent 4 }}
    - { name: SCHEMA, value: {{ include "soctalk-system.schemaId" . | quote }} }
  resources:
    {{- include "soctalk-system.resources" .Values.resources.migration | nindent 4 }}
  securityContext:
    {{- include "soctalk-system.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - { name: tmp, mountPath: /tmp }
{{- end }}

{{/* Names a schema by the image that holds its revisions. */}}
{{- define "soctalk-system.schemaId" -}}
soctalk-{{ include "soctalk-system.migrationImage" . | sha256sum | trunc 12 }}
{{- end }}

{{/* Identity of the install, for every one of SocTalk's containers. */}}
{{- define "soctalk-system.installEnv" -}}
- { name: SOCTALK_INSTALL_MSSP_ID, value: {{ .Values.install.msspId | quote }} }
- { name: SOCTALK_INSTALL_MSSP_NAME, value: {{ .Values.install.msspName | quote }} }
- { name: SOCTALK_INSTALL_ID, value: {{ .Values.install.installId | quote }} }
- { name: SOCTALK_INSTALL_LABEL, value: {{ .Values.install.installLabel | quote }} }
{{- end }}

{{- define "soctalk-system.compatibilityVolume" -}}
- name: compatibility
  configMap:
    name: {{ include "soctalk-system.compatibilityConfigMap" . }}
    items:
      - { key: compatibility.yaml, path: compatibility.yaml }
{{- end }}

{{/*
Components of this release and the Secrets that each reads, as YAML: a map from
component to Secret names. ServiceAccounts and Roles follow from it. The accounts
of hooks are made by the hooks, which run before the release.
*/}}
{{- define "soctalk-system.readers" -}}
{{- $roles := (include "soctalk-system.postgres" . | fromYaml).roles -}}
soctalk-api:
  {{- $secrets := list $roles.app.secret $roles.mssp.secret "soctalk-adapter-signing-key" "soctalk-jwt-signing-key" }}
  {{- if .Values.licensing.enabled }}
  {{- $secrets = append $secrets "soctalk-license" }}
  {{- end }}
  {{- toYaml ($secrets | uniq | sortAlpha) | nindent 2 }}
soctalk-controller: [soctalk-adapter-signing-key]
soctalk-migrate: [{{ $roles.admin.secret }}]
soctalk-orchestrator: [{{ $roles.app.secret }}]
{{- if .Values.postgres.enabled }}
soctalk-postgres: []
{{- end }}
{{- if .Values.edge.enabled }}
wazuh-edge-haproxy: []
{{- end }}
{{- if .Values.egressProxy.enabled }}
soctalk-egress-proxy: []
{{- end }}
{{- end }}
