{{/* What a schema cannot say. Every message names the value and what to do. */}}
{{- define "soctalk-system.validate" -}}
{{- if ne .Release.Namespace "soctalk-system" -}}
{{- fail (printf "the release namespace is %s: policies and tenants look for the control plane in soctalk-system; install with --namespace soctalk-system" .Release.Namespace) -}}
{{- end -}}
{{- if and .Values.networkPolicies.enabled (include "soctalk-system.calico" .) (not .Values.postgres.enabled) (not .Values.postgres.external.cidrs) -}}
{{- fail "postgres.external.cidrs is empty: in calico-egress-proxy mode no policy knows names, so the server's addresses are needed" -}}
{{- end -}}
{{- $ports := dict -}}
{{- range .Values.edge.tenants -}}
{{- $tenant := . -}}
{{- if ne (int .enrollment) (add1 (int .events) | int) -}}
{{- fail (printf "edge.tenants: the enrollment port of %s is %d, it must be the port after events, %d" .slug (int .enrollment) (add1 (int .events))) -}}
{{- end -}}
{{- range list (int .events) (int .enrollment) -}}
{{- if hasKey $ports (toString .) -}}
{{- fail (printf "edge.tenants: port %d belongs to %s and to %s" . (get $ports (toString .)) $tenant.slug) -}}
{{- end -}}
{{- $_ := set $ports (toString .) $tenant.slug -}}
{{- end -}}
{{- end -}}
{{- end }}
