{{/*
Cortex. It is started by its launcher and not by the image's entrypoint, which
wants to be root and prints the configuration it writes. Analyzers run as
processes of the pod: there is no Docker socket and no Kubernetes API here.
*/}}
{{- define "cortex.cortex" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $config := include "cortex.cortex.configData" . -}}
{{- $analyzers := .values.analyzers | default (list "EmlParser" "FileInfo" "ValidateObservable") -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: cortex-config
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
data:
  {{- $config | nindent 2 }}
---
apiVersion: v1
kind: Service
metadata:
  name: cortex
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "soctalk-tenant.selectorLabels" . | nindent 4 }}
  ports:
    - { name: http, port: 9001, targetPort: http, protocol: TCP }
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cortex
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
  {{- include "soctalk-tenant.workloadAnnotations" . | nindent 2 }}
spec:
  replicas: {{ include "soctalk-tenant.replicas" . }}
  revisionHistoryLimit: 3
  # Two Cortexes would run a job twice.
  strategy:
    type: Recreate
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
      {{- include "soctalk-tenant.podSpec" (dict "scope" . "grace" 60) | nindent 6 }}
      securityContext:
        {{- include "soctalk-tenant.podSecurity" (dict "uid" 1001 "gid" 1001 "fsGroup" 1001) | nindent 8 }}
      initContainers:
        # Cortex offers every analyzer of its catalogue; the allow-list is what is copied into it.
        - name: select-analyzers
          image: {{ include "soctalk-tenant.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: IfNotPresent
          command: [/bin/bash, /scripts/select-analyzers.sh]
          args:
            {{- toYaml $analyzers | nindent 12 }}
          resources:
            {{- include "soctalk-tenant.resources" .values.resources | nindent 12 }}
          securityContext:
            {{- include "soctalk-tenant.containerSecurity" true | nindent 12 }}
          volumeMounts:
            - { name: scripts, mountPath: /scripts, readOnly: true }
            - { name: analyzers, mountPath: /analyzers }
      containers:
        - name: cortex
          image: {{ include "soctalk-tenant.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: IfNotPresent
          command: [/bin/bash, /scripts/start.sh]
          env:
            # The rest of the limit belongs to the analyzers.
            - name: JAVA_OPTS
              value: -XX:InitialRAMPercentage=25 -XX:MaxRAMPercentage=50
            {{- include "soctalk-tenant.secretEnv" (dict "env" "ADMIN_USERNAME" "secret" $secrets.cortexBootstrap "key" "username") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "ADMIN_PASSWORD" "secret" $secrets.cortexBootstrap "key" "password") | nindent 12 }}
          ports:
            - { name: http, containerPort: 9001, protocol: TCP }
          startupProbe:
            httpGet: { path: /api/status, port: http }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 60
          readinessProbe:
            httpGet: { path: /api/status, port: http }
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
            {{- include "soctalk-tenant.containerSecurity" true | nindent 12 }}
          volumeMounts:
            - { name: config, mountPath: /etc/cortex/application.conf, subPath: application.conf, readOnly: true }
            - { name: scripts, mountPath: /scripts, readOnly: true }
            - { name: analyzers, mountPath: /analyzers, readOnly: true }
            - { name: tmp, mountPath: /tmp }
            - { name: logs, mountPath: /var/log/cortex }
      volumes:
        - name: config
          configMap:
            name: cortex-config
            items:
              - { key: application.conf, path: application.conf }
        - name: scripts
          configMap:
            name: cortex-config
            items:
              - { key: select-analyzers.sh, path: select-analyzers.sh }
              - { key: start.sh, path: start.sh }
        - name: analyzers
          emptyDir:
            sizeLimit: 512Mi
        - name: tmp
          emptyDir:
            sizeLimit: 4Gi
        - name: logs
          emptyDir:
            sizeLimit: 1Gi
---
{{ include "soctalk-tenant.disruptionBudget" . }}
{{- end }}

{{- define "cortex.cortex.configData" -}}
application.conf: |
  play.http.secret.key = ${SESSION_KEY}
  http.port = 9001
  search {
    index = cortex
    uri = "http://elasticsearch:9200"
  }
  auth.provider = [local]
  job {
    runners = [process]
    directory = /tmp/cortex-jobs
  }
  analyzer.urls = ["/analyzers"]
  responder.urls = []
select-analyzers.sh: |
  catalogue=/opt/Cortex-Analyzers/analyzers
  for analyzer; do
    if [ -d "$catalogue/$analyzer" ]; then
      cp -R "$catalogue/$analyzer" /analyzers/
      echo "allowed: $analyzer"
    else
      echo "not in $catalogue of this image: $analyzer" >&2
    fi
  done
start.sh: |
  # Sessions end with the pod: one replica needs no key that outlives it.
  SESSION_KEY=$(head -c 64 /dev/urandom | base64 -w0)
  export SESSION_KEY
  PORT=9001
  {{- include "soctalk-tenant.httpFunctions" . | nindent 2 }}

  # A new Cortex wants its index made, and gives the first caller the
  # administrator's seat. Both happen before the pod has been asked anything.
  bootstrap() {
    until request GET /api/status && [ "$STATUS" = 200 ]; do sleep 5; done
    while :; do
      request GET /api/user/current || { sleep 5; continue; }
      case $STATUS in
        520) request POST /api/maintenance/migrate '{}' ;;
        404) break ;;
        *) echo "Cortex has users: nothing to set up"; return ;;
      esac
      sleep 5
    done
    request POST /api/user "{\"login\":$(json_string "$ADMIN_USERNAME"),\"name\":\"Administrator\",\"password\":$(json_string "$ADMIN_PASSWORD"),\"roles\":[\"superadmin\"],\"organization\":\"cortex\"}"
    case $STATUS in
      2??) echo "administrator $ADMIN_USERNAME is set up" ;;
      *) echo "creating $ADMIN_USERNAME: HTTP $STATUS" >&2 ;;
    esac
  }

  mkdir -p /tmp/cortex-jobs
  wait_for_port elasticsearch 9200
  bootstrap &
  cd /opt/cortex || exit
  exec bin/cortex -Dconfig.file=/etc/cortex/application.conf -Dlogger.file=/etc/cortex/logback.xml -Dpidfile.path=/dev/null
{{- end }}
