{{/*
One file a policy, named after it. A rendered fleet holds the same policies in its
tree and switches these off (networkPolicies.enabled: false); that the two are
equal is tested object by object.
*/}}
{{- define "soctalk-system.policyMetadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "soctalk-system.sharedLabels" .root | nindent 2 }}
{{- end }}

{{/* Peers of name resolution for a NetworkPolicy: the cluster's DNS pods, and what stands before them. */}}
{{- define "soctalk-system.dnsPeers" -}}
{{- $dns := .Values.networkPolicies.dns -}}
{{- $nodeLocal := $dns.nodeLocal | default dict -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ $dns.namespace }}
  podSelector:
    matchLabels:
      {{- toYaml $dns.podLabels | nindent 6 }}
{{- with $nodeLocal.podLabels }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ $dns.namespace }}
  podSelector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
{{- end }}
{{- range $nodeLocal.cidrs }}
- ipBlock:
    cidr: {{ . }}
{{- end }}
{{- end }}

{{/* Rules of name resolution for Cilium: through its DNS proxy, which FQDN rules learn from. */}}
{{- define "soctalk-system.dnsRules" -}}
{{- $dns := .Values.networkPolicies.dns -}}
{{- $nodeLocal := $dns.nodeLocal | default dict -}}
{{- $ports := include "soctalk-system.dnsProxyPorts" . -}}
- toEndpoints:
    {{- range $labels := list $dns.podLabels ($nodeLocal.podLabels | default dict) }}
    {{- if $labels }}
    - matchLabels:
        k8s:io.kubernetes.pod.namespace: {{ $dns.namespace }}
        {{- range $key, $value := $labels }}
        k8s:{{ $key }}: {{ $value | quote }}
        {{- end }}
    {{- end }}
    {{- end }}
  toPorts:
    {{- $ports | nindent 4 }}
{{- with $nodeLocal.cidrs }}
{{- /* Cilium takes the address for its host's or for one outside, depending on which of the two it met first. */}}
- toEntities: [host]
  toPorts:
    {{- $ports | nindent 4 }}
- toCIDR:
    {{- toYaml . | nindent 4 }}
  toPorts:
    {{- $ports | nindent 4 }}
{{- end }}
{{- end }}

{{- define "soctalk-system.dnsProxyPorts" -}}
- ports:
    - { port: "53", protocol: UDP }
    - { port: "53", protocol: TCP }
  rules:
    dns:
      - matchPattern: "*"
{{- end }}

{{/* Who talks to the database. */}}
{{- define "soctalk-system.databaseClients" -}}
[soctalk-api, soctalk-controller, soctalk-migrate, soctalk-orchestrator]
{{- end }}

{{/* Who resolves names. */}}
{{- define "soctalk-system.resolvingPods" -}}
{{- $all := concat (include "soctalk-system.databaseClients" . | fromYamlArray) (list "wazuh-edge-haproxy") -}}
{{- $all = append $all (ternary "soctalk-egress-proxy" "soctalk-preinstall" (eq (include "soctalk-system.calico" .) "true")) -}}
{{- $all | sortAlpha | toJson -}}
{{- end }}

{{/*
Who resolves names through Cilium's DNS proxy: who calls hosts outside by name, and everybody where a cache on the
host answers, which no NetworkPolicy can name.
*/}}
{{- define "soctalk-system.fqdnPods" -}}
{{- if include "soctalk-system.calico" . -}}
[]
{{- else if dig "nodeLocal" "cidrs" (list) .Values.networkPolicies.dns -}}
{{ include "soctalk-system.resolvingPods" . }}
{{- else if .Values.postgres.enabled -}}
[soctalk-orchestrator]
{{- else -}}
{{ include "soctalk-system.databaseClients" . }}
{{- end -}}
{{- end }}

{{/* Who resolves names in the cluster only. */}}
{{- define "soctalk-system.dnsPods" -}}
{{- $all := include "soctalk-system.resolvingPods" . | fromJsonArray -}}
{{- range include "soctalk-system.fqdnPods" . | fromYamlArray -}}
{{- $all = without $all . -}}
{{- end -}}
{{- $all | sortAlpha | toJson -}}
{{- end }}

{{/* Who calls the Kubernetes API: the controller acts on it, API and orchestrator read the tenants' Secrets there. */}}
{{- define "soctalk-system.apiServerPods" -}}
{{- $pods := list "soctalk-api" "soctalk-controller" "soctalk-orchestrator" -}}
{{- if not (include "soctalk-system.calico" .) -}}
{{- $pods = append $pods "soctalk-preinstall" -}}
{{- end -}}
{{- $pods | sortAlpha | toJson -}}
{{- end }}
