{{/*
TheHive. It is started by its launcher and not by the image's entrypoint, which
wants to be root, writes a configuration of its own and prints it.
*/}}
{{- define "thehive.thehive" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $config := include "thehive.thehive.configData" . -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: thehive-config
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
data:
  {{- $config | nindent 2 }}
---
apiVersion: v1
kind: Service
metadata:
  name: thehive
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "soctalk-tenant.selectorLabels" . | nindent 4 }}
  ports:
    - { name: http, port: 9000, targetPort: http, protocol: TCP }
---
# Attachments: kept when the release goes, like the claims of the StatefulSets.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: thehive-data
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  {{- include "soctalk-tenant.claimSpec" .values.persistence | nindent 2 }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: thehive
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
  {{- include "soctalk-tenant.workloadAnnotations" . | nindent 2 }}
spec:
  replicas: {{ include "soctalk-tenant.replicas" . }}
  revisionHistoryLimit: 3
  # Its volume attaches to one node, and two TheHives on one graph are not supported.
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
        {{- include "soctalk-tenant.podSecurity" (dict "uid" 1000 "gid" 1000 "fsGroup" 1000) | nindent 8 }}
      containers:
        - name: thehive
          image: {{ include "soctalk-tenant.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: IfNotPresent
          command: [/bin/bash, /scripts/start.sh]
          env:
            - name: JAVA_OPTS
              value: >-
                -XX:InitialRAMPercentage=25 -XX:MaxRAMPercentage=60
                {{- if and (ne .root.Values.networkPolicies.mode "cilium") .root.Values.integrations.externalCortexUrl }}
                {{- range list "http" "https" }}
                -D{{ . }}.proxyHost=soctalk-egress-proxy.soctalk-system.svc.cluster.local -D{{ . }}.proxyPort=3128
                {{- end }}
                -Dhttp.nonProxyHosts=localhost|127.0.0.1|cassandra|elasticsearch|*.svc.cluster.local
                {{- end }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "CASSANDRA_USERNAME" "secret" $secrets.cassandraCreds "key" "username") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "CASSANDRA_PASSWORD" "secret" $secrets.cassandraCreds "key" "password") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "ADMIN_USERNAME" "secret" $secrets.thehiveBootstrap "key" "username") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "ADMIN_PASSWORD" "secret" $secrets.thehiveBootstrap "key" "password") | nindent 12 }}
          ports:
            - { name: http, containerPort: 9000, protocol: TCP }
          # The first start creates the schema and waits for Cassandra and Elasticsearch.
          startupProbe:
            httpGet: { path: /api/status, port: http }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 90
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
            - { name: data, mountPath: /opt/thp/thehive/files }
            - { name: tmp, mountPath: /tmp }
            - { name: logs, mountPath: /var/log/thehive }
            - { name: config, mountPath: /etc/thehive/application.conf, subPath: application.conf, readOnly: true }
            - { name: scripts, mountPath: /scripts, readOnly: true }
      volumes:
        - name: data
          persistentVolumeClaim:
            claimName: thehive-data
        - name: config
          configMap:
            name: thehive-config
            items:
              - { key: application.conf, path: application.conf }
        - name: scripts
          configMap:
            name: thehive-config
            items:
              - { key: start.sh, path: start.sh }
        - name: tmp
          emptyDir:
            sizeLimit: 2Gi
        - name: logs
          emptyDir:
            sizeLimit: 1Gi
---
{{ include "soctalk-tenant.disruptionBudget" . }}
{{- end }}

{{- define "thehive.thehive.configData" -}}
application.conf: |
  play.http.secret.key = ${SESSION_KEY}
  play.http.parser.maxDiskBuffer = 128MB
  http.port = 9000
  user.defaultUserDomain = "thehive.local"
  auth.providers = [
    { name = session }
    { name = basic, realm = thehive }
    { name = local }
    { name = key }
  ]
  db.provider = janusgraph
  db.janusgraph {
    storage {
      backend = cql
      hostname = ["cassandra"]
      port = 9042
      username = ${CASSANDRA_USERNAME}
      password = ${CASSANDRA_PASSWORD}
      cql {
        cluster-name = thehive
        keyspace = thehive
        local-datacenter = datacenter1
        replication-factor = 1
      }
    }
    index.search {
      backend = elasticsearch
      hostname = ["elasticsearch"]
      index-name = thehive
    }
  }
  storage {
    provider = localfs
    localfs.location = /opt/thp/thehive/files
  }
start.sh: |
  # Sessions end with the pod: one replica needs no key that outlives it.
  SESSION_KEY=$(head -c 64 /dev/urandom | base64 -w0)
  export SESSION_KEY
  PORT=9000
  {{- include "soctalk-tenant.httpFunctions" . | nindent 2 }}

  # TheHive's first start makes an administrator with a published password.
  # The Secret's credentials replace it; a second start finds nothing to do.
  bootstrap() {
    local default=admin@thehive.local login=$ADMIN_USERNAME
    case $login in *@*) ;; *) login=$login@thehive.local ;; esac
    until request GET /api/status && [ "$STATUS" = 200 ]; do sleep 5; done
    until request GET /api/v1/user/current '' "$login:$ADMIN_PASSWORD" && [ "$STATUS" -lt 500 ]; do sleep 5; done
    [ "$STATUS" = 200 ] && { echo "administrator $login is in place"; return; }
    request GET /api/v1/user/current '' "$default:secret"
    if [ "$STATUS" != 200 ]; then
      echo "administrator $login is refused and so is the initial one: change the password in TheHive before the Secret" >&2
      return
    fi
    if [ "$login" != "$default" ]; then
      request POST /api/v1/user "{\"login\":$(json_string "$login"),\"name\":\"Administrator\",\"organisation\":\"admin\",\"profile\":\"admin\",\"password\":$(json_string "$ADMIN_PASSWORD")}" "$default:secret"
      case $STATUS in 2??) ;; *) echo "creating $login: HTTP $STATUS" >&2; return ;; esac
    fi
    request POST "/api/v1/user/$default/password/set" "{\"password\":$(json_string "$ADMIN_PASSWORD")}" "$default:secret"
    case $STATUS in
      2??) echo "administrator $login is set up" ;;
      *) echo "replacing the initial password: HTTP $STATUS" >&2 ;;
    esac
  }

  wait_for_port cassandra 9042
  wait_for_port elasticsearch 9200
  bootstrap &
  cd /opt/thehive || exit
  exec bin/thehive -Dconfig.file=/etc/thehive/application.conf -Dlogger.file=/etc/thehive/logback.xml -Dpidfile.path=/dev/null
{{- end }}
