// A CDK stack whose function sends everything it writes to Data Firehose.
//
//   firetee layer build --out firetee-layer.zip
//   npm install && npx cdk deploy --app "node app.mjs"

import { App, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import * as firehose from "aws-cdk-lib/aws-kinesisfirehose";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as s3 from "aws-cdk-lib/aws-s3";

/** Has a function send what it writes to the stream: the layer, two variables, one permission. */
export function addFiretee(fn, { layer, stream }) {
  fn.addLayers(layer);
  fn.addEnvironment("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bin/exec-wrapper");
  fn.addEnvironment("FIRETEE_STREAM", stream.deliveryStreamName);
  fn.addToRolePolicy(
    new iam.PolicyStatement({
      actions: ["firehose:PutRecordBatch"],
      resources: [stream.deliveryStreamArn],
    }),
  );
}

const app = new App();
const stack = new Stack(app, "Orders");

const bucket = new s3.Bucket(stack, "Lines", {
  blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
  encryption: s3.BucketEncryption.S3_MANAGED,
  enforceSSL: true,
  lifecycleRules: [{ expiration: Duration.days(90) }],
  removalPolicy: RemovalPolicy.RETAIN,
});

const stream = new firehose.DeliveryStream(stack, "Stream", {
  destination: new firehose.S3Bucket(bucket, {
    compression: firehose.Compression.GZIP,
    bufferingInterval: Duration.seconds(60),
    dataOutputPrefix: "lines/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
    errorOutputPrefix: "errors/!{firehose:error-output-type}/day=!{timestamp:yyyy-MM-dd}/",
  }),
});

const layer = new lambda.LayerVersion(stack, "Firetee", {
  code: lambda.Code.fromAsset("firetee-layer.zip"),
  description: "Sends what a Python function writes to Data Firehose",
  compatibleArchitectures: [lambda.Architecture.X86_64, lambda.Architecture.ARM_64],
});

const orders = new lambda.Function(stack, "Function", {
  runtime: lambda.Runtime.PYTHON_3_13,
  handler: "app.handler",
  code: lambda.Code.fromAsset("function"),
  memorySize: 256,
  timeout: Duration.seconds(10),
});

addFiretee(orders, { layer, stream });

app.synth();
