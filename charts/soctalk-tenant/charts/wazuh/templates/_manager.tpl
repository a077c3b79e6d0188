{{/*
Wazuh manager: takes agents in, analyses, ships alerts to the indexer.
The image supervises a dozen daemons that start as root and drop to the user
wazuh themselves, so the container is root with the few capabilities for that.
*/}}
{{- define "wazuh.manager" -}}
{{- $secrets := .root.Values.secrets -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: wazuh-manager-config
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
data:
  ossec.conf: |
    {{- include "wazuh.manager.ossecConf" . | nindent 4 }}
---
apiVersion: v1
kind: Service
metadata:
  name: wazuh-manager
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "soctalk-tenant.selectorLabels" . | nindent 4 }}
  ports:
    - { name: events, port: 1514, targetPort: events, protocol: TCP }
    - { name: enrollment, port: 1515, targetPort: enrollment, protocol: TCP }
    - { name: api, port: 55000, targetPort: api, protocol: TCP }
---
{{ include "wazuh.manager.agentService" . }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: wazuh-manager
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
        checksum/config: {{ include "wazuh.manager.ossecConf" . | sha256sum }}
    spec:
      {{- include "soctalk-tenant.podSpec" (dict "scope" . "grace" 120) | nindent 6 }}
      securityContext:
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: wazuh-manager
          image: {{ include "soctalk-tenant.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: IfNotPresent
          env:
            - name: INDEXER_URL
              value: https://wazuh-indexer:9200
            - name: FILEBEAT_SSL_VERIFICATION_MODE
              value: full
            - name: SSL_CERTIFICATE_AUTHORITIES
              value: /etc/wazuh-certs/ca.crt
            - name: SSL_CERTIFICATE
              value: /etc/wazuh-certs/tls.crt
            - name: SSL_KEY
              value: /etc/wazuh-certs/tls.key
            {{- include "soctalk-tenant.secretEnv" (dict "env" "INDEXER_USERNAME" "secret" $secrets.wazuhBootstrap "key" "username") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "INDEXER_PASSWORD" "secret" $secrets.wazuhBootstrap "key" "password") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "API_USERNAME" "secret" $secrets.wazuhBootstrap "key" "username") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "API_PASSWORD" "secret" $secrets.wazuhBootstrap "key" "password") | nindent 12 }}
          ports:
            - { name: events, containerPort: 1514, protocol: TCP }
            - { name: enrollment, containerPort: 1515, protocol: TCP }
            - { name: api, containerPort: 55000, protocol: TCP }
          # The API is the last daemon to come up; the first start unpacks the rules.
          startupProbe:
            tcpSocket: { port: api }
            periodSeconds: 10
            failureThreshold: 60
          readinessProbe:
            tcpSocket: { port: events }
            periodSeconds: 10
            failureThreshold: 3
          livenessProbe:
            tcpSocket: { port: events }
            periodSeconds: 20
            failureThreshold: 6
          lifecycle:
            preStop:
              exec:
                command: [/var/ossec/bin/wazuh-control, stop]
          resources:
            {{- include "soctalk-tenant.resources" .values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: false
            runAsUser: 0
            capabilities:
              drop: [ALL]
              add: [CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SYS_CHROOT]
          volumeMounts:
            {{- range list "api/configuration" "etc" "logs" "queue" "var/multigroups" "integrations" "active-response/bin" "agentless" "wodles" }}
            - { name: data, mountPath: /var/ossec/{{ . }}, subPath: ossec/{{ . }} }
            {{- end }}
            - { name: data, mountPath: /etc/filebeat, subPath: filebeat/etc }
            - { name: data, mountPath: /var/lib/filebeat, subPath: filebeat/lib }
            # The image copies what lies here over /var/ossec at every start.
            - { name: config, mountPath: /wazuh-config-mount/etc/ossec.conf, subPath: ossec.conf, readOnly: true }
            - { name: enrollment-secret, mountPath: /wazuh-config-mount/etc/authd.pass, subPath: authd.pass, readOnly: true }
            - { name: enrollment-tls, mountPath: /wazuh-config-mount/etc/sslmanager.cert, subPath: tls.crt, readOnly: true }
            - { name: enrollment-tls, mountPath: /wazuh-config-mount/etc/sslmanager.key, subPath: tls.key, readOnly: true }
            - { name: certs, mountPath: /etc/wazuh-certs, readOnly: true }
      volumes:
        - name: config
          configMap:
            name: wazuh-manager-config
        - name: enrollment-secret
          secret:
            secretName: {{ $secrets.wazuhAuthd }}
            defaultMode: 0440
            items:
              - { key: password, path: authd.pass }
        - name: enrollment-tls
          secret:
            secretName: {{ .root.Values.wazuhIngress.tls.secretName }}
            defaultMode: 0440
            items:
              - { key: tls.crt, path: tls.crt }
              - { key: tls.key, path: tls.key }
        - name: certs
          secret:
            secretName: {{ $secrets.wazuhCerts }}
            defaultMode: 0440
---
{{ include "soctalk-tenant.disruptionBudget" . }}
{{- end }}

{{/* The Service that agents use: an address of its own, or a ClusterIP behind the install's edge. */}}
{{- define "wazuh.manager.agentService" -}}
{{- $ingress := .root.Values.wazuhIngress -}}
apiVersion: v1
kind: Service
metadata:
  name: wazuh-agents
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
  {{- if and (eq $ingress.mode "loadbalancer") $ingress.service.annotations }}
  annotations:
    {{- toYaml $ingress.service.annotations | nindent 4 }}
  {{- end }}
spec:
  {{- if eq $ingress.mode "loadbalancer" }}
  type: LoadBalancer
  externalTrafficPolicy: {{ $ingress.service.externalTrafficPolicy }}
  {{- with $ingress.service.loadBalancerClass }}
  loadBalancerClass: {{ . }}
  {{- end }}
  {{- with $ingress.customerCIDRs }}
  loadBalancerSourceRanges:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- else }}
  type: ClusterIP
  {{- end }}
  selector:
    {{- include "soctalk-tenant.selectorLabels" . | nindent 4 }}
  ports:
    - { name: events, port: 1514, targetPort: events, protocol: TCP }
    - { name: enrollment, port: 1515, targetPort: enrollment, protocol: TCP }
{{- end }}

{{/* The manager's configuration. Nothing in it reaches out of the namespace: feeds and update checks are off. */}}
{{- define "wazuh.manager.ossecConf" -}}
<ossec_config>
  <global>
    <jsonout_output>yes</jsonout_output>
    <alerts_log>yes</alerts_log>
    <logall>no</logall>
    <logall_json>no</logall_json>
    <email_notification>no</email_notification>
    <agents_disconnection_time>15m</agents_disconnection_time>
    <agents_disconnection_alert_time>0</agents_disconnection_alert_time>
    <update_check>no</update_check>
  </global>

  <alerts>
    <log_alert_level>3</log_alert_level>
  </alerts>

  <logging>
    <log_format>plain</log_format>
  </logging>

  <remote>
    <connection>secure</connection>
    <port>1514</port>
    <protocol>tcp</protocol>
    <queue_size>131072</queue_size>
  </remote>

  <auth>
    <disabled>no</disabled>
    <port>1515</port>
    <use_source_ip>no</use_source_ip>
    <purge>yes</purge>
    <use_password>yes</use_password>
    <ssl_verify_host>no</ssl_verify_host>
    <ssl_manager_cert>etc/sslmanager.cert</ssl_manager_cert>
    <ssl_manager_key>etc/sslmanager.key</ssl_manager_key>
    <ssl_auto_negotiate>no</ssl_auto_negotiate>
  </auth>

  <indexer>
    <enabled>yes</enabled>
    <hosts>
      <host>https://wazuh-indexer:9200</host>
    </hosts>
    <ssl>
      <certificate_authorities>
        <ca>/etc/wazuh-certs/ca.crt</ca>
      </certificate_authorities>
      <certificate>/etc/wazuh-certs/tls.crt</certificate>
      <key>/etc/wazuh-certs/tls.key</key>
    </ssl>
  </indexer>

  <vulnerability-detection>
    <enabled>no</enabled>
  </vulnerability-detection>

  <cluster>
    <name>wazuh</name>
    <node_name>wazuh-manager</node_name>
    <node_type>master</node_type>
    <key></key>
    <port>1516</port>
    <bind_addr>0.0.0.0</bind_addr>
    <nodes>
      <node>wazuh-manager</node>
    </nodes>
    <hidden>no</hidden>
    <disabled>yes</disabled>
  </cluster>

  <ruleset>
    <decoder_dir>ruleset/decoders</decoder_dir>
    <rule_dir>ruleset/rules</rule_dir>
    <rule_exclude>0215-policy_rules.xml</rule_exclude>
    <list>etc/lists/audit-keys</list>
    <list>etc/lists/amazon/aws-eventnames</list>
    <list>etc/lists/security-eventchannel</list>
    <decoder_dir>etc/decoders</decoder_dir>
    <rule_dir>etc/rules</rule_dir>
  </ruleset>

  <rule_test>
    <enabled>yes</enabled>
    <threads>1</threads>
    <max_sessions>64</max_sessions>
    <session_timeout>15m</session_timeout>
  </rule_test>

  <rootcheck>
    <disabled>yes</disabled>
  </rootcheck>

  <syscheck>
    <disabled>yes</disabled>
  </syscheck>

  <sca>
    <enabled>no</enabled>
  </sca>

  <wodle name="syscollector">
    <disabled>yes</disabled>
  </wodle>
</ossec_config>
{{- end }}
