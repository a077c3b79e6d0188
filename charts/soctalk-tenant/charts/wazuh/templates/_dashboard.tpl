{{/* Wazuh dashboard: the web UI over indexer and manager. */}}
{{- define "wazuh.dashboard" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $config := include "wazuh.dashboard.config" . -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: wazuh-dashboard-config
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
data:
  opensearch_dashboards.yml: |
    {{- $config | nindent 4 }}
---
apiVersion: v1
kind: Service
metadata:
  name: wazuh-dashboard
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "soctalk-tenant.selectorLabels" . | nindent 4 }}
  ports:
    - { name: https, port: 5601, targetPort: https, protocol: TCP }
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: wazuh-dashboard
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
  {{- include "soctalk-tenant.workloadAnnotations" . | nindent 2 }}
spec:
  replicas: {{ include "soctalk-tenant.replicas" . }}
  revisionHistoryLimit: 3
  # The only workload of a tenant that surges: a UI people are looking at.
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "soctalk-tenant.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "soctalk-tenant.podLabels" . | nindent 8 }}
      annotations:
        checksum/config: {{ $config | sha256sum }}
    spec:
      {{- include "soctalk-tenant.podSpec" (dict "scope" . "grace" 30) | nindent 6 }}
      securityContext:
        {{- include "soctalk-tenant.podSecurity" (dict "uid" 1000 "gid" 1000 "fsGroup" 1000) | nindent 8 }}
      containers:
        - name: wazuh-dashboard
          image: {{ include "soctalk-tenant.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: IfNotPresent
          env:
            - name: WAZUH_API_URL
              value: https://wazuh-manager
            - name: API_PORT
              value: "55000"
            - name: DASHBOARD_USERNAME
              value: kibanaserver
            {{- include "soctalk-tenant.secretEnv" (dict "env" "DASHBOARD_PASSWORD" "secret" $secrets.wazuhBootstrap "key" "password") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "INDEXER_USERNAME" "secret" $secrets.wazuhBootstrap "key" "username") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "INDEXER_PASSWORD" "secret" $secrets.wazuhBootstrap "key" "password") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "API_USERNAME" "secret" $secrets.wazuhBootstrap "key" "username") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "API_PASSWORD" "secret" $secrets.wazuhBootstrap "key" "password") | nindent 12 }}
            - name: NODE_OPTIONS
              value: --max-old-space-size={{ include "soctalk-tenant.memoryShare" (dict "quantity" .values.resources.limits.memory "percent" 70) }}
          ports:
            - { name: https, containerPort: 5601, protocol: TCP }
          startupProbe:
            tcpSocket: { port: https }
            periodSeconds: 10
            failureThreshold: 60
          # The login page needs no session; until the indexer answers, everything is 503.
          readinessProbe:
            httpGet: { path: /app/login, port: https, scheme: HTTPS }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          livenessProbe:
            tcpSocket: { port: https }
            periodSeconds: 20
            failureThreshold: 6
          resources:
            {{- include "soctalk-tenant.resources" .values.resources | nindent 12 }}
          securityContext:
            {{- include "soctalk-tenant.containerSecurity" false | nindent 12 }}
          volumeMounts:
            - { name: config, mountPath: /usr/share/wazuh-dashboard/config/opensearch_dashboards.yml, subPath: opensearch_dashboards.yml, readOnly: true }
            - { name: certs, mountPath: /usr/share/wazuh-dashboard/certs, readOnly: true }
      volumes:
        - name: config
          configMap:
            name: wazuh-dashboard-config
        - name: certs
          secret:
            secretName: {{ $secrets.wazuhCerts }}
            defaultMode: 0440
---
{{ include "soctalk-tenant.disruptionBudget" . }}
{{- end }}

{{- define "wazuh.dashboard.config" -}}
server.host: 0.0.0.0
server.port: 5601
server.ssl.enabled: true
server.ssl.certificate: /usr/share/wazuh-dashboard/certs/tls.crt
server.ssl.key: /usr/share/wazuh-dashboard/certs/tls.key
opensearch.hosts: https://wazuh-indexer:9200
opensearch.ssl.verificationMode: full
opensearch.ssl.certificateAuthorities: [/usr/share/wazuh-dashboard/certs/ca.crt]
opensearch.requestHeadersAllowlist: [securitytenant, Authorization]
opensearch_security.multitenancy.enabled: false
opensearch_security.readonly_mode.roles: [kibana_read_only]
opensearch_security.cookie.secure: true
uiSettings.overrides.defaultRoute: /app/wz-home
{{- end }}
