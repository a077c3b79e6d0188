{{/* What a schema cannot say. Every message names the value and what to do. */}}
{{- define "soctalk-tenant.validate" -}}
{{- $tenant := .Values.tenant -}}
{{- $namespace := printf "tenant-%s" $tenant.slug -}}
{{- if ne .Release.Namespace $namespace -}}
{{- fail (printf "tenant.slug is %q, so the release namespace must be %s, not %s: install with --namespace %s" $tenant.slug $namespace .Release.Namespace $namespace) -}}
{{- end -}}
{{- range $label, $value := dict "tenant-id" $tenant.id "mssp-id" $tenant.msspId "install-id" $tenant.installId -}}
{{- if ne (get $.Values.namespaceLabels $label) $value -}}
{{- fail (printf "namespaceLabels.%s is %q, the tenant's is %q: they must be equal" $label (get $.Values.namespaceLabels $label) $value) -}}
{{- end -}}
{{- end -}}
{{- if ne .Values.llm.apiKeyRef.name (printf "tenant-%s-llm" $tenant.id) -}}
{{- fail (printf "llm.apiKeyRef.name is %q, the tenant's own Secret is tenant-%s-llm" .Values.llm.apiKeyRef.name $tenant.id) -}}
{{- end -}}
{{- $llmHost := regexReplaceAll "^https://([^/:]+).*$" .Values.llm.baseUrl "${1}" | lower -}}
{{- if not (has $llmHost .Values.networkPolicies.allowedLlmHosts) -}}
{{- fail (printf "networkPolicies.allowedLlmHosts lacks %s, the host of llm.baseUrl" $llmHost) -}}
{{- end -}}
{{- if eq .Values.wazuhIngress.mode "edge-haproxy" -}}
{{- $ports := .Values.wazuhIngress.edgePorts -}}
{{- if ne (int $ports.enrollment) (add1 (int $ports.events) | int) -}}
{{- fail (printf "wazuhIngress.edgePorts.enrollment is %d: it must be the port after events, %d" (int $ports.enrollment) (add1 (int $ports.events))) -}}
{{- end -}}
{{- end -}}
{{- $indexer := .Values.components.wazuh.indexer -}}
{{- $heap := include "soctalk-tenant.mebibytes" (regexReplaceAll "^([0-9]+)([mg])$" $indexer.jvm.heap "${1} ${2}" | replace " g" "Gi" | replace " m" "Mi") | int -}}
{{- $limit := include "soctalk-tenant.mebibytes" $indexer.resources.limits.memory | int -}}
{{- if ge $heap $limit -}}
{{- fail (printf "components.wazuh.indexer.jvm.heap %s does not fit the memory limit %s: half of the limit is right" $indexer.jvm.heap $indexer.resources.limits.memory) -}}
{{- end -}}
{{- end }}
