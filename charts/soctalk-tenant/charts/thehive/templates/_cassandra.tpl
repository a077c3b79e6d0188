{{/* Cassandra: TheHive's database, one node, passwords required. */}}
{{- define "thehive.cassandra" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $start := include "thehive.cassandra.start" . -}}
{{- $heap := include "soctalk-tenant.memoryShare" (dict "quantity" .values.resources.limits.memory "percent" 50) | int -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: cassandra-config
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
data:
  start.sh: |
    {{- $start | nindent 4 }}
---
apiVersion: v1
kind: Service
metadata:
  name: cassandra
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "soctalk-tenant.selectorLabels" . | nindent 4 }}
  ports:
    - { name: cql, port: 9042, targetPort: cql, protocol: TCP }
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: cassandra
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
        checksum/config: {{ $start | sha256sum }}
    spec:
      {{- include "soctalk-tenant.podSpec" (dict "scope" . "grace" 180) | nindent 6 }}
      securityContext:
        {{- include "soctalk-tenant.podSecurity" (dict "uid" 999 "gid" 999 "fsGroup" 999) | nindent 8 }}
      containers:
        - name: cassandra
          image: {{ include "soctalk-tenant.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: IfNotPresent
          command: [/bin/bash, /scripts/start.sh]
          env:
            - name: CASSANDRA_CLUSTER_NAME
              value: thehive
            - name: CASSANDRA_NUM_TOKENS
              value: "4"
            # Without these Cassandra sizes itself by the node's memory.
            - name: MAX_HEAP_SIZE
              value: {{ $heap }}M
            - name: HEAP_NEWSIZE
              value: {{ div $heap 4 }}M
            {{- include "soctalk-tenant.secretEnv" (dict "env" "ROLE_NAME" "secret" $secrets.cassandraCreds "key" "username") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "ROLE_PASSWORD" "secret" $secrets.cassandraCreds "key" "password") | nindent 12 }}
          ports:
            - { name: cql, containerPort: 9042, protocol: TCP }
          startupProbe:
            tcpSocket: { port: cql }
            periodSeconds: 10
            failureThreshold: 60
          # Ready once the role of the Secret may log in.
          readinessProbe:
            exec:
              command: [test, -e, /tmp/role-ready]
            periodSeconds: 10
            failureThreshold: 3
          livenessProbe:
            tcpSocket: { port: cql }
            periodSeconds: 20
            failureThreshold: 6
          lifecycle:
            preStop:
              exec:
                command: [nodetool, drain]
          resources:
            {{- include "soctalk-tenant.resources" .values.resources | nindent 12 }}
          securityContext:
            {{- include "soctalk-tenant.containerSecurity" false | nindent 12 }}
          volumeMounts:
            - { name: data, mountPath: /var/lib/cassandra }
            - { name: tmp, mountPath: /tmp }
            - { name: scripts, mountPath: /scripts, readOnly: true }
      volumes:
        - name: scripts
          configMap:
            name: cassandra-config
        - name: tmp
          emptyDir:
            sizeLimit: 1Gi
---
{{ include "soctalk-tenant.disruptionBudget" . }}
{{- end }}

{{- define "thehive.cassandra.start" -}}
rm -f /tmp/role-ready
sed -i.orig 's/^authenticator:.*/authenticator: PasswordAuthenticator/; s/^authorizer:.*/authorizer: CassandraAuthorizer/' "${CASSANDRA_CONF:-/etc/cassandra}/cassandra.yaml" ||
  { echo "cannot switch passwords on in cassandra.yaml" >&2; exit 1; }

# Statements come from standard input and credentials from a file: nothing
# secret appears among the arguments of a process.
query() {
  cqlsh --credentials="/tmp/credentials-$1" localhost 9042
}
credentials() {
  (umask 077; printf '[PlainTextAuthProvider]\nusername = %s\npassword = %s\n' "$2" "$3" >"/tmp/credentials-$1")
}
cql_string() {
  printf "'%s'" "${1//\'/\'\'}"
}

# A new volume has the published superuser cassandra. The role of the Secret
# takes its place; a second start finds nothing to do.
set_up_role() {
  local role
  role=$(printf '"%s"' "${ROLE_NAME//\"/\"\"}")
  credentials secret "$ROLE_NAME" "$ROLE_PASSWORD"
  credentials initial cassandra cassandra
  while :; do
    sleep 5
    if query secret <<<'SELECT release_version FROM system.local;' >/dev/null 2>&1; then
      if [ "$ROLE_NAME" != cassandra ]; then
        query secret <<<"ALTER ROLE cassandra WITH SUPERUSER = false AND LOGIN = false;" >/dev/null 2>&1
      fi
      touch /tmp/role-ready
      echo "role $ROLE_NAME is in place"
      return
    fi
    if [ "$ROLE_NAME" = cassandra ]; then
      query initial <<<"ALTER ROLE cassandra WITH PASSWORD = $(cql_string "$ROLE_PASSWORD");" >/dev/null 2>&1
    else
      query initial <<<"CREATE ROLE IF NOT EXISTS $role WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = $(cql_string "$ROLE_PASSWORD");" >/dev/null 2>&1
    fi || echo "role $ROLE_NAME may not log in yet; if this goes on, the Secret changed before the role did" >&2
  done
}

set_up_role &
exec docker-entrypoint.sh cassandra -f
{{- end }}
