{{/*
One file a policy, named after it. A rendered fleet holds the same policies in its
tree and switches these off (networkPolicies.enabled: false); that the two are
equal is tested object by object.
*/}}
{{- define "soctalk-tenant.cilium" -}}
{{- if eq .Values.networkPolicies.mode "cilium" }}true{{ end -}}
{{- end }}

{{- define "soctalk-tenant.policyMetadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "soctalk-tenant.sharedLabels" .root | nindent 2 }}
{{- end }}

{{/* Metadata of what a tenant adds to the control plane's namespace. */}}
{{- define "soctalk-tenant.systemMetadata" -}}
name: {{ .name }}
namespace: soctalk-system
labels:
  {{- include "soctalk-tenant.sharedLabels" .root | nindent 2 }}
  managed-by: soctalk
{{- end }}

{{/* Peers of name resolution for a NetworkPolicy: the cluster's DNS pods, and what stands before them. */}}
{{- define "soctalk-tenant.dnsPeers" -}}
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
{{- define "soctalk-tenant.dnsRules" -}}
{{- $dns := .Values.networkPolicies.dns -}}
{{- $nodeLocal := $dns.nodeLocal | default dict -}}
{{- $ports := include "soctalk-tenant.dnsProxyPorts" . -}}
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

{{- define "soctalk-tenant.dnsProxyPorts" -}}
- ports:
    - { port: "53", protocol: UDP }
    - { port: "53", protocol: TCP }
  rules:
    dns:
      - matchPattern: "*"
{{- end }}

{{/* Host and port of an http(s) URL, as YAML. */}}
{{- define "soctalk-tenant.endpoint" -}}
{{- $url := urlParse . -}}
host: {{ regexReplaceAll ":[0-9]+$" $url.host "" | lower }}
port: {{ regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "http" | ternary "80" "443") | quote }}
{{- end }}

{{/*
Who may reach the agents' ports: edge, cidrs, world, or closed (a tenant that is
being decommissioned takes no more agents in, unless told to).
*/}}
{{- define "soctalk-tenant.agentPolicy" -}}
{{- if and (eq .Values.tenant.state "decommissioning") (not .Values.wazuhIngress.keepWhileDecommissioning) -}}
closed
{{- else if eq .Values.wazuhIngress.mode "edge-haproxy" -}}
edge
{{- else if and (not .Values.wazuhIngress.customerCIDRs) (include "soctalk-tenant.cilium" .) -}}
world
{{- else -}}
cidrs
{{- end -}}
{{- end }}

{{- define "soctalk-tenant.agentBlocks" -}}
{{- range .Values.wazuhIngress.customerCIDRs | default (list "0.0.0.0/0" "::/0") }}
- ipBlock:
    cidr: {{ . }}
{{- end }}
{{- end }}
