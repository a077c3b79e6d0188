{{/*
Elasticsearch: Cortex's store and TheHive's index, one node. Its API has no
passwords here: nothing outside of the namespace may reach it.
*/}}
{{- define "cortex.elasticsearch" -}}
{{- $heap := include "soctalk-tenant.memoryShare" (dict "quantity" .values.resources.limits.memory "percent" 50) -}}
{{- $config := include "cortex.elasticsearch.config" . -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: elasticsearch-config
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
data:
  elasticsearch.yml: |
    {{- $config | nindent 4 }}
---
apiVersion: v1
kind: Service
metadata:
  name: elasticsearch
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "soctalk-tenant.selectorLabels" . | nindent 4 }}
  ports:
    - { name: http, port: 9200, targetPort: http, protocol: TCP }
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: elasticsearch
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
  {{- include "soctalk-tenant.workloadAnnotations" . | nindent 2 }}
spec:
  {{- include "soctalk-tenant.statefulSetSpec" . | nindent 2 }}
  template:
    metadata:
      labels:
        {{- include "soctalk-tenant.podLabels" . | nindent 8 }}
      annotations:
        checksum/config: {{ $config | sha256sum }}
    spec:
      {{- include "soctalk-tenant.podSpec" (dict "scope" . "grace" 120) | nindent 6 }}
      # The image lets its user write the configuration through group 0.
      securityContext:
        {{- include "soctalk-tenant.podSecurity" (dict "uid" 1000 "gid" 0 "fsGroup" 1000) | nindent 8 }}
      containers:
        - name: elasticsearch
          image: {{ include "soctalk-tenant.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: IfNotPresent
          env:
            - name: ES_JAVA_OPTS
              value: -Xms{{ $heap }}m -Xmx{{ $heap }}m
          ports:
            - { name: http, containerPort: 9200, protocol: TCP }
          startupProbe:
            httpGet: { path: "/_cluster/health?local=true", port: http }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 60
          readinessProbe:
            httpGet: { path: "/_cluster/health?local=true", port: http }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          livenessProbe:
            tcpSocket: { port: http }
            periodSeconds: 20
            failureThreshold: 6
          resources:
            {{- include "soctalk-tenant.resources" .values.resources | nindent 12 }}
          securityContext:
            {{- include "soctalk-tenant.containerSecurity" false | nindent 12 }}
          volumeMounts:
            - { name: data, mountPath: /usr/share/elasticsearch/data }
            - { name: config, mountPath: /usr/share/elasticsearch/config/elasticsearch.yml, subPath: elasticsearch.yml, readOnly: true }
            - { name: tmp, mountPath: /tmp }
      volumes:
        - name: config
          configMap:
            name: elasticsearch-config
        - name: tmp
          emptyDir:
            sizeLimit: 1Gi
---
{{ include "soctalk-tenant.disruptionBudget" . }}
{{- end }}

{{- define "cortex.elasticsearch.config" -}}
cluster.name: soctalk
node.name: elasticsearch
network.host: 0.0.0.0
http.port: 9200
discovery.type: single-node
# No memory maps: the node's vm.max_map_count does not matter.
node.store.allow_mmap: false
xpack.security.enabled: false
xpack.ml.enabled: false
# Nothing leaves the namespace.
ingest.geoip.downloader.enabled: false
# What TheHive and Cortex ask for.
script.allowed_types: inline,stored
thread_pool.search.queue_size: 100000
thread_pool.write.queue_size: 10000
{{- end }}
